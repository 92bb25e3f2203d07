"""Tests of `cloud-terminal all-in-one`: one shop on one machine, from nothing to a paid order."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import psutil
from eventually import eventually
from limits import SHORT_LIMITS
from running.fleet import Fleet, Process, fleet_of
from system import Login, Pos, delete_queues
from wire.scripted_terminal import ScriptedTerminal, answers_after


async def test_without_a_broker_it_says_how_to_get_one(tmp_path: Path) -> None:
    """The message has two commands to copy, and nothing is created."""
    given = {**SHORT_LIMITS, "database_url": f"sqlite+aiosqlite:///{tmp_path}/shop/shop.db", "amqp_url": ""}
    async with fleet_of(given, tmp_path) as fleet:
        code, text = await fleet.call("all-in-one")

    assert code == 2
    assert "apt-get install rabbitmq-server" in text
    assert "docker run" in text
    assert "export CLOUD_TERMINAL_AMQP_URL=" in text
    assert not (tmp_path / "shop").exists()


async def test_a_shop_starts_from_nothing_pays_and_ends_in_order(
    tmp_path: Path, amqp_url: str, amqp_prefix: str
) -> None:
    """It migrates by itself; SIGTERM in the middle of a payment lets the payment finish; then all end."""
    customer_pays = asyncio.Event()
    async with shop(tmp_path, amqp_url, amqp_prefix) as (fleet, process, url):
        login = await new_login(fleet)
        async with (
            httpx.AsyncClient(timeout=30) as client,
            ScriptedTerminal(answers_after(customer_pays)) as terminal,
            asyncio.TaskGroup() as group,
        ):
            paying = group.create_task(Pos(client, login, url).pay(terminal.host))
            await eventually(lambda: terminal.talks and terminal.talks[0].received)
            process.terminate()
            await eventually(lambda: process.text.count('"stopping"') >= 2)
            customer_pays.set()

        assert paying.result().json()["paymentStatus"] == "Success"
        assert await process.ended() == 0
    assert (tmp_path / "shop" / "cloud-terminal.key").stat().st_mode & 0o777 == 0o600


async def test_all_end_when_one_ends(tmp_path: Path, amqp_url: str, amqp_prefix: str) -> None:
    """The worker dies: the API is ended too, and the exit code is not zero."""
    async with shop(tmp_path, amqp_url, amqp_prefix) as (_, process, url):
        children = psutil.Process(process.pid).children()
        (worker,) = [child for child in children if "terminal-worker" in child.cmdline()]
        worker.kill()

        assert await process.ended() != 0
        assert not [child for child in children if child.is_running()]
        async with httpx.AsyncClient() as client:
            with contextlib.suppress(httpx.ConnectError):
                raise AssertionError(await client.get(f"{url}/v1/connector/healthcheck"))


@contextlib.asynccontextmanager
async def shop(tmp_path: Path, amqp_url: str, amqp_prefix: str) -> Any:
    """Start it on a database that does not exist yet; yield fleet, process and the API's URL."""
    given = {name: value for name, value in SHORT_LIMITS.items() if name != "secret_key"}
    given |= {
        "database_url": f"sqlite+aiosqlite:///{tmp_path}/shop/shop.db",
        "amqp_url": amqp_url,
        "amqp_prefix": amqp_prefix,
        "log_format": "json",
    }
    try:
        async with fleet_of(given, tmp_path) as fleet:
            process: Process = await fleet.start("all-in-one")
            port = (await process.logged("API is serving"))["port"]
            await process.logged("terminal worker is taking payments")
            yield fleet, process, f"http://127.0.0.1:{port}"
    finally:
        await delete_queues(amqp_url, amqp_prefix)


async def new_login(fleet: Fleet) -> Login:
    """Make a merchant and a credential as an operator does."""
    code, text = await fleet.call("merchants", "create", "A bakery", "--network", "127.0.0.0/8", "--json")
    assert code == 0, text
    code, text = await fleet.call("credentials", "create", json.loads(text)["id"], "--json")
    assert code == 0, text
    made = json.loads(text)
    return Login(made["merchant_id"], made["username"], made["secret"])
