"""A named SQL statement in the dialects of both databases."""

import re
from dataclasses import fields
from typing import Final, Literal

from shared.payment.payment import RESULT_FIELDS, Payment

Dialect = Literal["postgresql", "sqlite"]

#: The columns that `rows.payment_of` reads, in the order of the value's fields.
PAYMENT_FIELDS: Final = (*(field.name for field in fields(Payment) if field.name != "result"), *RESULT_FIELDS)

_NOW: Final[dict[Dialect, str]] = {
    # Both are read when the statement runs, after the locks of earlier statements were waited for.
    "postgresql": "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    "sqlite": "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)",
}

#: The time in milliseconds since 1970, read once for the whole statement. `{now}` alone is read again for
#: each row, so that no index can be searched by it. Only for a statement that waits for no lock, or whose
#: answer may be as old as its start.
NOW_ONCE: Final = "(SELECT {now})"

_OBSERVED: Final = (
    "echoes = COALESCE(CAST(:echoes AS TEXT), echoes),"
    " answered_at = CASE WHEN CAST(:echoes AS TEXT) IS NULL THEN answered_at ELSE {now} END,"
    " identifies = COALESCE(CAST(:identifies AS BOOLEAN), identifies),"
    " identify_first = COALESCE(CAST(:identify_first AS BOOLEAN), identify_first)"
)

_IN_IDS: Final[dict[Dialect, str]] = {
    "postgresql": "= ANY(:ids)",
    "sqlite": "IN (SELECT value FROM json_each(:ids))",
}


#: Of a row of `payments`: true if another attempt of its operation blocks new ones, so that money may have
#: moved or may still move. By the guard's index, and only for a row that does not block new attempts itself.
_ANOTHER_BLOCKS: Final = (
    "(payments.guard_key IS NULL AND EXISTS (SELECT 1 FROM payments other"
    " WHERE other.merchant_id = payments.merchant_id AND other.guard_key = payments.operation_key))"
)


class Statement:
    """A statement's text with placeholders that differ by dialect or repeat.

    `{now}`: the database's time in milliseconds since 1970. `{for_update}`: the row lock; `{skip_locked}`:
    the same without waiting for locked rows. `{payment}`: the columns of a payment. `{another_blocks}`:
    true if another attempt of the payment's operation blocks new ones. `{observed}`: assignments of a
    session's `locks.ObservedCapabilities`. `{in_ids}`: a condition for one of a list, see
    `Transaction.all_of`. `{unindexed}`: before a column by which SQLite is not to search an index.
    """

    def __init__(self, template: str) -> None:
        payment = ", ".join(PAYMENT_FIELDS)
        self._texts: dict[Dialect, str] = {
            dialect: template.format(
                now=_NOW[dialect],
                # A writer on SQLite has the whole database to itself since its BEGIN IMMEDIATE.
                for_update="FOR UPDATE" if dialect == "postgresql" else "",
                skip_locked="FOR UPDATE SKIP LOCKED" if dialect == "postgresql" else "",
                payment=payment,
                another_blocks=_ANOTHER_BLOCKS,
                observed=_OBSERVED.format(now=_NOW[dialect]),
                in_ids=_IN_IDS[dialect],
                unindexed="+" if dialect == "sqlite" else "",
            )
            for dialect in _NOW
        }
        #: For PostgreSQL's own protocol: the text with `$1`, `$2` ..., and the names in that order.
        self.numbered: Final = numbered(self._texts["postgresql"])

    def on(self, dialect: Dialect) -> str:
        """Return the text with `:name` parameters."""
        return self._texts[dialect]


#: A literal, a quoted name, a text in dollars, a comment or a cast, in which a colon begins no parameter; or
#: a parameter.
_TOKEN: Final = re.compile(
    r"""
    '(?:[^']|'')*' | "[^"]*" | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | --[^\n]* | /\*.*?\*/ | ::
    | (?<!\w):(?P<name>\w+)
    """,
    re.DOTALL | re.VERBOSE,
)


def numbered(words: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with a number for each name, the same for a name that repeats, and the names."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        name = found["name"]
        return found[0] if name is None else f"${names.setdefault(name, len(names) + 1)}"

    return _TOKEN.sub(number, words), tuple(names)
