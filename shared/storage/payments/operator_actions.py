"""The trace of what operators do beside payments: written in the transaction of the act itself."""

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
    """One action of an operator."""

    #: A terminal's address is its merchant's alone from then on.
    SOLE_USE_CONFIRMED = "sole_use_confirmed"
    #: It is anybody's again.
    SOLE_USE_WITHDRAWN = "sole_use_withdrawn"
    #: One delivery is sent once more.
    DELIVERY_REPLAYED = "delivery_replayed"
    #: So many that fit a filter are; one action for each 500.
    DELIVERIES_REPLAYED = "deliveries_replayed"


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """One act, with the credential that did it. `at` is milliseconds since 1970 UTC."""

    id: int
    at: int
    by: str
    action: str
    detail: dict[str, Any]


async def record_action(tx: Transaction, by: str, action: Action, detail: Mapping[str, object]) -> None:
    """Append one act, at the database's time."""
    await tx.run(_INSERT, by=by, action=action.value, detail=json_text(detail))


async def page(
    database: Database, *, after: Place | None, limit: int
) -> tuple[list[OperatorAction], Place | None]:
    """Return acts, the newest first, and where the next page begins. Raises DatabaseUnavailable."""
    before = None if after is None else after.created_at
    rows = await database.read(lambda tx: tx.all(_PAGE, before=before, most=limit + 1))
    found = [OperatorAction(row.id, row.at, row.by, row.action, json.loads(row.detail)) for row in rows]
    return found[:limit], Place(found[limit - 1].id, "action") if len(found) > limit else None
