"""Look-ups of terminals by the address that an order names."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from payments import MERCHANT

from api.terminals.lookup import Terminals
from shared.runtime.clock import SystemClock
from shared.storage.db.engine import Database

ORDERS = 100


async def test_a_burst_of_orders_for_new_terminals_takes_one_connection(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are refused for overload wait for no connection that accepted ones use."""
    terminals = Terminals(database, SystemClock(), cache_seconds=30)
    read = database.read
    open_reads = most_open = reads = 0

    async def counted(work: Callable[..., Awaitable[Any]]) -> Any:
        nonlocal open_reads, most_open, reads
        reads += 1
        open_reads += 1
        most_open = max(most_open, open_reads)
        try:
            return await read(work)
        finally:
            open_reads -= 1

    monkeypatch.setattr(database, "read", counted)

    async def find(number: int) -> None:
        terminal_address = f"127.0.1.{number}:8888"
        assert not await terminals.is_reserved(MERCHANT, terminal_address)
        assert await terminals.by_address(MERCHANT, terminal_address) is None

    await asyncio.gather(*(find(number) for number in range(ORDERS)))

    assert (most_open, reads) == (1, 1)
