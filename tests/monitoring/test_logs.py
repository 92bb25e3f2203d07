"""Logs of real processes while they lose the broker: few lines, and the payment can still be followed."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

from databases import Store
from running.fleet import fleet_of
from system import delete_queues
from wire.amqp_proxy import amqp_proxy

OUTAGE_SECONDS: Final = 20
LINES_AT_MOST: Final = 5
SECRET_KEY: Final = "a key for tests, 32 characters long"


async def test_an_outage_of_the_broker_makes_few_lines(
    postgres_store: Store, amqp_url: str, amqp_prefix: str, tmp_path: Path
) -> None:
    """Five a process in 20 seconds at most, reconnects included, while nobody sends an order."""
    async with contextlib.AsyncExitStack() as stack:
        way = await stack.enter_async_context(amqp_proxy(amqp_url))
        settings = {
            "database_url": postgres_store.url,
            "amqp_url": way.url,
            "amqp_prefix": amqp_prefix,
            "secret_key": SECRET_KEY,
            "management_port": 0,
            "api_port": 0,
        }
        fleet = await stack.enter_async_context(fleet_of(settings, tmp_path))
        processes = [await fleet.start(kind) for kind in ("api", "terminal-worker", "notifier-worker")]
        for process in processes:
            await process.ready()
        before = {process.name: len(process.text.splitlines()) for process in processes}

        await way.cut()
        await asyncio.sleep(OUTAGE_SECONDS)
        await way.mend()
        for process in processes:
            await process.ready()

        lines = {process.name: process.text.splitlines()[before[process.name] :] for process in processes}
        assert {name: len(found) for name, found in lines.items() if len(found) > LINES_AT_MOST} == {}, lines
        # The outage is told.
        assert all(found for found in lines.values())
    await delete_queues(amqp_url, amqp_prefix)
