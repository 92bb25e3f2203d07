"""Waiting deliveries without payments, for tests that are not about payments."""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from payments import change, rows
from system import LOOPBACK, System
from wire.endpoints import GivenEndpoint, add_endpoint

from shared.storage.db.engine import Database

#: Settings of a notifier worker whose tries may hang as long as a test lets them.
PATIENT: Final[dict[str, Any]] = {"notify_timeout_seconds": 18, "notify_lease_seconds": 30}

#: As many as are asked for, in one statement.
_INSERT = (
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :number)"
    " INSERT INTO deliveries (id, kind, target, merchant_id, event_number, type, sequence, state, created_at,"
    " since_at, due_at, publish_at) SELECT CAST(:prefix AS TEXT) || CAST(n AS TEXT), 'merchant',"
    " CAST(:target AS TEXT), CAST(:merchant_id AS TEXT), CAST(:event AS BIGINT), 'endpoint.test', 1,"
    " 'waiting', {now}, {now}, {now}, {now} FROM numbers"
)


async def add_endpoint_row(database: Database, merchant_id: str, url: str = "http://127.0.0.1:9/") -> str:
    """Register an endpoint that is never posted to; return its id."""
    endpoint_id = f"whe_{secrets.token_hex(13)}"
    await change(
        database,
        "INSERT INTO webhook_endpoints (id, merchant_id, url, created_at, changed_at)"
        " VALUES (:id, :merchant_id, :url, 0, 0)",
        url=url,
        id=endpoint_id,
        merchant_id=merchant_id,
    )
    return endpoint_id


async def add_waiting(
    database: Database, merchant_id: str | None, endpoint_id: str, number: int = 1
) -> list[str]:
    """Write test events for an endpoint, due now, without wake-ups; return the ids of their deliveries."""
    prefix = f"dlv_{secrets.token_hex(8)}_"
    await change(
        database,
        "INSERT INTO events (merchant_id, sequence, type, at, body)"
        " VALUES (:merchant_id, 1, :type, {now}, '{{}}')",
        merchant_id=merchant_id,
        type=prefix,
    )
    (event,) = await rows(database, "SELECT number FROM events WHERE type = :type", type=prefix)
    await change(
        database,
        _INSERT,
        prefix=prefix,
        target=endpoint_id,
        merchant_id=merchant_id,
        event=event.number,
        number=number,
    )
    return [f"{prefix}{one + 1}" for one in range(number)]


async def delivery(database: Database, delivery_id: str) -> Any:
    """Return the delivery's row."""
    (row,) = await rows(database, "SELECT * FROM deliveries WHERE id = :id", id=delivery_id)
    return row


async def attempts(database: Database, delivery_id: str) -> list[Any]:
    """Return the rows of its attempts, the first one first."""
    return list(
        await rows(
            database, "SELECT * FROM delivery_attempts WHERE delivery_id = :id ORDER BY id", id=delivery_id
        )
    )


async def all_published_late(database: Database) -> int:
    """Make the waiting deliveries older by the time that the committing process has for its message."""
    return await change(database, "UPDATE deliveries SET publish_at = 0 WHERE state = 'waiting'")


@dataclass(frozen=True)
class Hearing:
    """A merchant with one endpoint, for which test events can wait."""

    merchant_id: str
    endpoint: GivenEndpoint
    database: Database

    async def wait(self, number: int = 1) -> list[str]:
        """Write test events that the notifier workers' sweep publishes; return their ids."""
        return await add_waiting(self.database, self.merchant_id, self.endpoint.id, number)


async def hearing(system: System, url: str) -> Hearing:
    """Create a merchant whose events go to this URL."""
    merchant_id = (await system.login(LOOPBACK)).merchant_id
    assert merchant_id is not None
    endpoint = await add_endpoint(system.database, system.settings, merchant_id, url)
    return Hearing(merchant_id, endpoint, system.database)


async def states(database: Database) -> set[tuple[str, str | None]]:
    """Return the states of all deliveries, each with its reason."""
    return {(row.state, row.reason) for row in await rows(database, "SELECT state, reason FROM deliveries")}


async def all_delivered(database: Database) -> bool:
    return await states(database) == {("delivered", None)}
