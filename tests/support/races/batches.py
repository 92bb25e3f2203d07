"""Orders, payments and terminals by number, for calls that go together."""

from collections.abc import Sequence
from typing import Any

from payments import in_session, queued

from shared.payment.payment import Reason
from shared.storage.db.engine import Database
from shared.storage.payments.claims import Claimed, cancel


def order_at(number: int) -> dict[str, Any]:
    host = f"127.0.1.{100 + number}"
    return {"order_id": f"order of {host}", "host": host, "terminal_address": f"{host}:8888"}


async def queued_at(database: Database, numbers: Sequence[int]) -> list[str]:
    return [await queued(database, **order_at(number)) for number in numbers]


async def in_session_at(database: Database, numbers: Sequence[int]) -> list[Claimed]:
    return [await in_session(database, **order_at(number), warnings=("late",)) for number in numbers]


async def with_locks_at(database: Database, numbers: Sequence[int]) -> None:
    for number in numbers:
        order = {**order_at(number), "order_id": f"makes the lock of {number}"}
        await cancel(database, await queued(database, **order), Reason.CALLER)
