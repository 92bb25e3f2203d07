"""Origins of payments: the request that began one, and its trace, for whatever is done for it later."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from shared.runtime.logging import bound
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.tracing.context import TraceContext, trace_context
from shared.tracing.spans import continued

#: The history's first entry has the request's id.
_ORIGINS = Statement(
    "SELECT p.id, p.traceparent, e.detail FROM payments p LEFT JOIN payment_events e ON e.payment_id = p.id"
    " AND e.event = 'accepted' WHERE p.id {in_ids}"
)

_OF_DELIVERIES = Statement(
    "SELECT d.id, p.traceparent, e.detail FROM deliveries d JOIN payments p ON p.id = d.payment_id"
    " LEFT JOIN payment_events e ON e.payment_id = p.id AND e.event = 'accepted' WHERE d.id {in_ids}"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The id of the HTTP request that a payment was stored for, and the request's trace."""

    request_id: str | None = None
    trace: TraceContext | None = None


UNKNOWN: Final = Origin()


async def origins_in(tx: Transaction, payment_ids: Sequence[str]) -> dict[str, Origin]:
    """Return the origins of payments by id."""
    return {row.id: _origin(row) for row in await tx.all_of(_ORIGINS, payment_ids)}


async def origins_of_deliveries(database: Database, ids: Sequence[str]) -> dict[str, Origin]:
    """Return the origins of deliveries' payments by the delivery's id. Raises DatabaseUnavailable."""
    rows = await database.read(lambda tx: tx.all_of(_OF_DELIVERIES, ids)) if ids else []
    return {row.id: _origin(row) for row in rows}


@contextmanager
def working_for(
    origin: Origin, *, payment_id: str | None = None, delivery_id: str | None = None
) -> Iterator[None]:
    """Log, publish and trace in the block as the payment's own request would, whatever the task is about."""
    # Without a request of its own it must not be logged with another one's.
    ids = {} if origin.request_id is None else {"payment_id": payment_id, "delivery_id": delivery_id}
    with bound(**ids, request_id=origin.request_id), continued(origin.trace):
        yield


def _origin(row: Row) -> Origin:
    request_id = None if row.detail is None else json.loads(row.detail).get("request_id")
    return Origin(request_id, trace_context(row.traceparent))
