"""The record of operators' actions, written in the transaction of the action itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place
from shared.storage.payments.rows import json_text

_INSERT = Statement(
    "INSERT INTO operator_actions (at, by, action, detail) VALUES ({now}, :by, :action, :detail)"
)

#: The newest first.
_PAGE = Statement(
    "SELECT id, at, by, action, detail FROM operator_actions"
    " WHERE CAST(:before AS BIGINT) IS NULL OR id < :before ORDER BY id DESC LIMIT :most"
)


class Action(StrEnum):
    """A kind of action that an operator takes."""

    #: A merchant's sole use of a terminal address was confirmed.
    SOLE_USE_CONFIRMED = "sole_use_confirmed"
    #: A sole use was withdrawn.
    SOLE_USE_WITHDRAWN = "sole_use_withdrawn"
    #: One delivery was replayed.
    DELIVERY_REPLAYED = "delivery_replayed"
    #: A batch of at most 500 deliveries that fit a filter was replayed.
    DELIVERIES_REPLAYED = "deliveries_replayed"


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """A recorded action with the operator's credential; `at` is milliseconds since 1970 UTC."""

    id: int
    at: int
    by: str
    action: str
    detail: dict[str, Any]


async def record_action(tx: Transaction, by: str, action: Action, detail: Mapping[str, object]) -> None:
    """Append one action, at the database's time."""
    await tx.run(_INSERT, by=by, action=action.value, detail=json_text(detail))


async def page(
    database: Database, *, after: Place | None, limit: int
) -> tuple[list[OperatorAction], Place | None]:
    """Return actions, the newest first, and the start of the next page. Raises DatabaseUnavailable."""
    before = None if after is None else after.created_at
    rows = await database.read(lambda tx: tx.all(_PAGE, before=before, most=limit + 1))
    found = [OperatorAction(row.id, row.at, row.by, row.action, json.loads(row.detail)) for row in rows]
    return found[:limit], Place(found[limit - 1].id, "action") if len(found) > limit else None
