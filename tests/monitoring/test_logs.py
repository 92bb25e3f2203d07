"""Logs of real processes while they lose a server: few lines, and a payment can still be followed."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from databases import Store
from eventually import eventually
from running.fleet import fleet_of
from system import LOOPBACK, Pos, delete_queues, system_on
from wire.amqp_proxy import AmqpProxy, amqp_proxy
from wire.shop_terminal import shop_terminal

from sandbox.terminal.script.behaviour import Behaviour

OUTAGE_SECONDS: Final = 20
LINES_AT_MOST: Final = 5
SECRET_KEY: Final = "a key for tests, 32 characters long"
TILLS: Final = 8


@pytest.mark.parametrize("lost", ["broker", "database"])
@pytest.mark.parametrize("with_traffic", [False, True], ids=["idle", "traffic"])
async def test_an_outage_makes_few_lines(
    lost: str, with_traffic: bool, postgres_store: Store, amqp_url: str, amqp_prefix: str, tmp_path: Path
) -> None:
    """Five a process in 20 seconds at most, reconnects included, also while orders are sent all the time."""
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(amqp_proxy(amqp_url))
        database = await stack.enter_async_context(amqp_proxy(postgres_store.url))
        settings = {
            "database_url": database.url,
            "amqp_url": broker.url,
            "amqp_prefix": amqp_prefix,
            "secret_key": SECRET_KEY,
            "management_port": 0,
            "api_port": 0,
        }
        fleet = await stack.enter_async_context(fleet_of(settings, tmp_path))
        processes = {kind: await fleet.start(kind) for kind in ("api", "terminal-worker", "notifier-worker")}
        for process in processes.values():
            await process.ready()
        if with_traffic:
            port = (await processes["api"].logged("API is serving"))["port"]
            system = await stack.enter_async_context(
                system_on(postgres_store.url, amqp_url, amqp_prefix, secret_key=SECRET_KEY)
            )
            client = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
            pos = Pos(client, await system.login(LOOPBACK), f"http://127.0.0.1:{port}")
            await stack.enter_async_context(selling(pos))
            await eventually(lambda: "session ended" in processes["terminal-worker"].text)
        before = {name: len(process.text.splitlines()) for name, process in processes.items()}

        await outage({"broker": broker, "database": database}[lost])
        for process in processes.values():
            await process.ready()

        lines = {
            name: [
                line for line in map(json.loads, process.text.splitlines()[before[name] :]) if counts(line)
            ]
            for name, process in processes.items()
        }
        assert {name: found for name, found in lines.items() if len(found) > LINES_AT_MOST} == {}
        # The outage is told; an API that nobody asks has no use for the database.
        silent = {name for name, found in lines.items() if not found}
        assert silent <= ({"api"} if lost == "database" and not with_traffic else set())
    await delete_queues(amqp_url, amqp_prefix)


def counts(line: dict[str, Any]) -> bool:
    """Return whether a line is about the outage, not about a request, a session or a delivery that ended."""
    return line["event"] not in {
        "request answered", "session ended", "payment is not queued", "payment expired", "enquiry made",
        "delivery attempt succeeded", "payment published again", "payment waits for the terminal",
    }  # fmt: skip


async def outage(way: AmqpProxy) -> None:
    await way.cut()
    await asyncio.sleep(OUTAGE_SECONDS)
    await way.mend()


@contextlib.asynccontextmanager
async def selling(pos: Pos) -> AsyncIterator[None]:
    """Sell at several tills while the block runs; a till goes on at once, whatever it is answered."""

    async def sell(host: str) -> None:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await pos.pay(host)
            await asyncio.sleep(0.05)

    async with contextlib.AsyncExitStack() as stack:
        behaviour = Behaviour(delay_seconds=0.2)
        hosts = [(await stack.enter_async_context(shop_terminal(behaviour))).host for _ in range(TILLS)]
        tasks = [asyncio.create_task(sell(host)) for host in hosts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
