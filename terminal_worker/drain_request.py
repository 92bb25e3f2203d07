"""The look for an operator's request that this worker ends, which it obeys as it obeys SIGTERM."""

import asyncio

import structlog

from shared.runtime.resilience import failures_logged
from shared.storage.db.engine import Database
from shared.storage.terminals import drains


async def until_asked_to_drain(database: Database, worker: str, *, interval_seconds: float) -> None:
    """Return once an operator has asked this worker to end. An unavailable database is asked again."""
    is_asked = False
    while not is_asked:
        await asyncio.sleep(interval_seconds)
        with failures_logged("drain request not looked for"):
            is_asked = await drains.is_asked(database, worker)
    structlog.get_logger().info("drain asked for by an operator")


async def forget_drain_request(database: Database, worker: str) -> None:
    """Delete the request of this worker, which ends now; one that stays is deleted a day later."""
    with failures_logged("drain request not deleted"):
        await drains.forget(database, worker)
