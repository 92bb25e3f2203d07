"""Contents of leased deliveries: events, endpoints with their secrets, and orders."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.payment.payment import Payment
from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import payment_of

_EVENTS = Statement("SELECT number, at, body FROM events WHERE number {in_ids}")

#: Each endpoint with the secrets that sign now, the newest first, and its failures in a row.
_ENDPOINTS = Statement(
    "SELECT w.id, w.url, s.encrypted, COALESCE(t.failures, 0) AS failures FROM webhook_endpoints w"
    " JOIN webhook_secrets s ON s.endpoint_id = w.id AND (s.ends_at IS NULL OR s.ends_at > {now})"
    " LEFT JOIN delivery_targets t ON t.id = w.id WHERE w.id {in_ids} ORDER BY w.id, s.id DESC"
)

#: A payment with its number among the attempts of its operation.
_ORDERS = Statement(
    "SELECT {payment}, (SELECT COUNT(*) FROM payments o WHERE o.merchant_id = payments.merchant_id"
    " AND o.operation_key = payments.operation_key AND (o.created_at < payments.created_at"
    " OR (o.created_at = payments.created_at AND o.id <= payments.id))) AS attempt"
    " FROM payments WHERE id {in_ids}"
)

_FAILURES = Statement("SELECT failures FROM delivery_targets WHERE id = :target")


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event's number, its time in milliseconds since 1970, and its JSON."""

    number: int
    at: int
    body: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A target of webhooks; `encrypted_secrets` are those that sign, the newest first."""

    id: str
    url: str
    encrypted_secrets: tuple[str, ...]
    #: Failures in a row.
    failures: int


async def events(database: Database, numbers: Sequence[int]) -> dict[int, StoredEvent]:
    """Return events by number."""
    rows = await database.read(lambda tx: tx.all_of(_EVENTS, numbers))
    return {row.number: StoredEvent(row.number, row.at, row.body) for row in rows}


async def endpoints(database: Database, ids: Sequence[str]) -> dict[str, Endpoint]:
    """Return endpoints by id."""
    found: dict[str, Endpoint] = {}
    for row in await database.read(lambda tx: tx.all_of(_ENDPOINTS, ids)):
        earlier = found[row.id].encrypted_secrets if row.id in found else ()
        found[row.id] = Endpoint(row.id, row.url, (*earlier, row.encrypted), row.failures)
    return found


async def orders(database: Database, payment_ids: Sequence[str]) -> dict[str, tuple[Payment, int]]:
    """Return payments by id, each with its number among the attempts of its operation, from 1."""
    rows = await database.read(lambda tx: tx.all_of(_ORDERS, payment_ids))
    return {row.id: (payment_of(row), row.attempt) for row in rows}


async def failures_of(database: Database, target: str) -> int:
    """Return a target's failures in a row."""
    row = await database.read(lambda tx: tx.one(_FAILURES, target=target))
    return 0 if row is None else int(row.failures)
