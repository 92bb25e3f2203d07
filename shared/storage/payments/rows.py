"""Rows of `payments` as `Payment` values, and the history that every change appends to."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from shared.payment.payment import RESULT_FIELDS, Operation, Payment, Result
from shared.payment.states import State
from shared.storage.db.engine import Row, Transaction
from shared.storage.db.statement import PAYMENT_FIELDS, Statement

#: States without a result. SQLite searches an index of these rows only for a condition that repeats its own.
OPEN: Final = "state IN ('queued', 'in_session', 'in_doubt')"

#: Append to a payment's history.
_INSERT_EVENT = Statement(
    "INSERT INTO payment_events (payment_id, at, event, state, detail)"
    " VALUES (:payment_id, {now}, :event, :state, :detail)"
)


def payment_of(row: Row) -> Payment:
    """Return the payment of a row that begins with the statement's `{payment}`."""
    values = dict(zip(PAYMENT_FIELDS, row, strict=False))
    values["operation"] = Operation(values["operation"])
    values["state"] = State(values["state"])
    values["contradicted"] = bool(values["contradicted"])
    values["key_closed"] = bool(values["key_closed"])
    values["force_authorization"] = bool(values["force_authorization"])
    result = {name: values.pop(name) for name in RESULT_FIELDS}
    result["warnings"] = tuple(json.loads(result["warnings"]))
    return Payment(**values, result=Result(**result))


#: The assignments of a payment's result columns, for `result_values`.
SET_RESULT: Final = ", ".join(
    f"{name} = COALESCE(CAST(:warnings AS TEXT), warnings)" if name == "warnings" else f"{name} = :{name}"
    for name in RESULT_FIELDS
)


def result_values(result: Result | None) -> dict[str, object]:
    """Return the parameters of `SET_RESULT`; None empties every column but the warnings, which stay."""
    warnings = None if result is None else json_text(result.warnings)
    return asdict(result or Result()) | {"warnings": warnings}


def json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


#: A value that PostgreSQL writes into a JSON text.
HOLE: Final = object()


def json_parts(members: Mapping[str, object]) -> list[str]:
    """Return the JSON text of an object in the parts around its holes."""
    parts = [""]

    def write(value: object) -> None:
        if value is HOLE:
            parts.append("")
        elif isinstance(value, Mapping):
            for number, (name, member) in enumerate(value.items()):
                parts[-1] += f"{'{' if number == 0 else ','}{json_text(name)}:"
                write(member)
            parts[-1] += "}" if value else "{}"
        else:
            parts[-1] += json_text(value)

    write(members)
    return parts


async def record(
    tx: Transaction, payment_id: str, event: str, state: State, detail: Mapping[str, object] | None = None
) -> None:
    """Append one event to the payment's history, at the database's time."""
    await tx.run(
        _INSERT_EVENT, payment_id=payment_id, event=event, state=state.value, detail=json_text(detail or {})
    )
