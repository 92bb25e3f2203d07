"""Triggers that note each late change of what totals count, in the change's own transaction.

A day is totalled once nothing of it changes any more but by a doubt that is settled late, a proof that
contradicts, a purge. Whoever reads the day's stored totals sees the note as soon as the change. A change of a
younger time is not noted: its day is totalled hours after the transaction's end.
"""

from typing import Final

from shared.storage.db.statement import Dialect, Statement
from shared.storage.investigation.counting import is_counted, time_of

#: Age of a transaction from which on its changes are noted. `day_totals.CLOSED_MS` is longer by more than any
#: transaction lasts.
LATE_MS: Final = 3_600_000

#: A change of another column changes no total.
_COUNTED_COLUMNS: Final = (
    "merchant_id", "operation", "application", "state", "contradicted", "amount_cents", "paid_cents",
    "created_at", "claimed_at", "ended_at", "doubted_at",
)  # fmt: skip
_ROWS: Final = {"INSERT": ("NEW.",), "UPDATE": ("OLD.", "NEW."), "DELETE": ("OLD.",)}

_FUNCTION: Final = (
    "CREATE FUNCTION ct_note_late_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO late_changes (at) SELECT DISTINCT at"
    f" FROM (VALUES ({time_of('OLD.')}), ({time_of('NEW.')})) AS times (at) WHERE at IS NOT NULL;"
    " RETURN NULL; END $$"
)


def _is_noted(verb: str, dialect: Dialect) -> str:
    rows = _ROWS[verb]
    is_late = " OR ".join(f"{time_of(row)} < {{now}} - {LATE_MS}" for row in rows)
    counts = " OR ".join(is_counted(row) for row in rows)
    conditions = [f"({is_late})", f"({counts})"]
    if verb == "UPDATE":
        differs = "IS DISTINCT FROM" if dialect == "postgresql" else "IS NOT"
        changed = " OR ".join(f"OLD.{column} {differs} NEW.{column}" for column in _COUNTED_COLUMNS)
        conditions.append(f"({changed})")
    return " AND ".join(conditions)


def _trigger(verb: str, dialect: Dialect) -> str:
    name = f"payments_late_{verb.lower()}"
    begins = f"CREATE TRIGGER {name} AFTER {verb} ON payments FOR EACH ROW WHEN ({_is_noted(verb, dialect)})"
    notes = "".join(
        f" INSERT INTO late_changes (at) SELECT {time_of(row)} WHERE {time_of(row)} IS NOT NULL;"
        for row in _ROWS[verb]
    )
    does = "EXECUTE FUNCTION ct_note_late_change()" if dialect == "postgresql" else f"BEGIN{notes} END"
    return Statement(f"{begins} {does}").on(dialect)


#: Statements that create the triggers; run by the first migration.
TRIGGERS: Final[dict[Dialect, tuple[str, ...]]] = {
    "postgresql": (_FUNCTION, *(_trigger(verb, "postgresql") for verb in _ROWS)),
    "sqlite": tuple(_trigger(verb, "sqlite") for verb in _ROWS),
}
