"""Terminals by name: one merchant's dead names are nobody else's trouble."""

import asyncio
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from databases import Store
from eventually import eventually
from loopback import terminal_host
from running.api_alone import api_alone
from running.merchant import merchant, refused
from system import System
from wire.shop_terminal import PROMPT

from sandbox.terminal.server.server import VirtualTerminal
from shared.network.hosts import Address


class NameServers:
    """Know one name; those of every other one never answer."""

    def __init__(self, name: str, host: str) -> None:
        self.under_way: set[str] = set()
        self._name = name
        self._address = ip_address(host)

    async def __call__(self, host: str) -> Sequence[Address]:
        if host != self._name:
            self.under_way.add(host)
            try:
                await asyncio.Event().wait()
            finally:
                self.under_way.discard(host)
        return [self._address]


def dead_file(count: int) -> str:
    return "\n".join(["id,host", *(f"till-{number},name{number}.dead.example" for number in range(count))])


def dead_names(count: int) -> dict[str, Any]:
    """Return a request to import such a file, in a dry run."""
    return {
        "content": dead_file(count),
        "headers": {"Content-Type": "text/csv"},
        "params": {"dry_run": "true"},
    }


async def test_an_import_of_dead_names_is_no_trouble_of_other_merchants(system: System) -> None:
    """2,000 names in a dry run: another merchant pays by name meanwhile, and so does the same one."""
    host = terminal_host()
    servers = NameServers("till.shop.example", host)
    api = await system.api(lookup=servers, import_timeout_seconds=60, name_lookup_limit_per_merchant=4)
    await system.worker()
    attacker, shop = await merchant(system, api), await merchant(system, api)
    importing = asyncio.create_task(attacker.send("POST", "/import", **dead_names(2000)))
    await eventually(lambda: servers.under_way)

    async with VirtualTerminal(host, 8888, device=PROMPT):
        paid = await shop.pos.pay("till.shop.example")
        own = await attacker.pos.pay("till.shop.example")

    assert paid.json()["payment"]["state"] == own.json()["payment"]["state"] == "succeeded"
    assert not importing.done()
    assert len(servers.under_way) == 4
    importing.cancel()
    await asyncio.wait([importing])


async def test_an_import_of_dead_names_ends_in_its_total_time(system: System) -> None:
    """2,000 names, each of which would take the time of a look-up: every one is answered as not looked up."""
    servers = NameServers("till.shop.example", "127.0.0.9")
    api = await system.api(lookup=servers, import_timeout_seconds=2, name_lookup_limit_per_merchant=4)
    attacker = await merchant(system, api)
    began = time.monotonic()

    answered = await attacker.send("POST", "/import", **dead_names(2000))

    error = refused(answered, 400, "rows.import.bad.request")
    assert error["details"]["error_count"] == 2000
    assert error["details"]["errors"][0]["problem"] == "was not looked up in the time that a file has"
    assert 2 <= time.monotonic() - began < 30


async def test_an_import_ends_when_its_client_is_gone(sqlite_store: Store) -> None:
    """Nobody reads its answer; no further name of it is looked up."""
    servers = NameServers("till.shop.example", "127.0.0.9")
    async with api_alone(sqlite_store, lookup=servers, name_lookup_limit_per_merchant=1) as api:
        caller = await api.merchant()
        body = dead_file(3).encode()
        received = iter([{"type": "http.request", "body": body, "more_body": False}])
        leaves = asyncio.Event()
        sent: list[Any] = []

        async def receive() -> Any:
            message = next(received, None)
            if message is not None:
                return message
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        answering = asyncio.create_task(
            api.app(
                {
                    "type": "http",
                    "method": "POST",
                    "path": "/v1/terminals/import",
                    "raw_path": b"/v1/terminals/import",
                    "query_string": b"dry_run=true",
                    "headers": [
                        (b"authorization", caller.client.headers["authorization"].encode()),
                        (b"content-type", b"text/csv"),
                    ],
                },
                receive,
                send,
            )
        )
        await eventually(lambda: servers.under_way)
        leaves.set()

        async with asyncio.timeout(30):
            await answering
        assert sent[0]["status"] == 400
