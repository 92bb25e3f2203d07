"""Look-ups of terminals by the address that an order names."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from payments import MERCHANT
from running.api_alone import ApiAlone, Caller

from api.terminals.lookup import Terminals
from shared.runtime.clock import SystemClock
from shared.storage.db.engine import Database
from shared.storage.terminals import status

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


async def test_an_order_after_its_terminal_was_disabled_is_refused(
    api: ApiAlone, pos: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was read while it was being disabled: what is not current any more is not kept."""
    await pos.client.put("/v1/terminals/till-1", json={"host": "127.0.0.9"})
    read = status.at_addresses

    async def disabled_meanwhile(*given: Any) -> Any:
        monkeypatch.undo()
        found = await read(*given)
        assert (await pos.post("/v1/terminals/till-1/disable")).status_code in (200, 204)
        return found

    monkeypatch.setattr("api.terminals.lookup.at_addresses", disabled_meanwhile)
    await pos.order("127.0.0.9", headers={"prefer": "respond-async"})

    refused = await pos.order("127.0.0.9")

    assert refused.json()["error"]["code"] == "disabled.terminal.conflict"
