"""The measured system: API, worker, terminals and the bare responder, as processes of their own."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import asyncpg
from sqlalchemy.engine import make_url

from shared.runtime.processes import API_LINE, Process


@dataclass(frozen=True, slots=True)
class BenchSystem:
    """The addresses, the credential and the terminals of a running system."""

    api_port: int
    username: str
    secret: str
    hosts: list[str]
    bare_queue: str
    #: The measured processes by the name that tables show.
    pids: dict[str, int]


@asynccontextmanager
async def running_system(
    amqp_url: str,
    postgres_url: str,
    *,
    terminals: int,
    think_seconds: float = 0,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[BenchSystem]:
    """Start everything on a database and a queue prefix of its own; remove it all at the end.

    A terminal answers after `think_seconds`; `settings` are variables of all processes.
    """
    run = f"bench_{os.getpid()}_{token_hex(4)}"
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloud-terminal-bench-")))
        database_url = await stack.enter_async_context(database_named(postgres_url, run))
        environment = {
            "CLOUD_TERMINAL_DATABASE_URL": database_url,
            "CLOUD_TERMINAL_AMQP_URL": amqp_url,
            "CLOUD_TERMINAL_AMQP_PREFIX": f"{run}.",
            "CLOUD_TERMINAL_SECRET_KEY": token_hex(32),
            "CLOUD_TERMINAL_API_PORT": "0",
            "CLOUD_TERMINAL_MANAGEMENT_PORT": "0",
            "CLOUD_TERMINAL_LOG_LEVEL": "info",
            # One credential sends for hundreds of shops.
            "CLOUD_TERMINAL_ORDER_REQUESTS_PER_SECOND": "1000000",
            "CLOUD_TERMINAL_ORDER_REQUESTS_BURST": "1000000",
            **(settings or {}),
        }

        async def start(verb: str, *arguments: str) -> Process:
            process = await Process.start(
                verb, *arguments, environment=environment, log=folder / f"{verb}-{token_hex(2)}.log"
            )
            stack.push_async_callback(process.stop)
            return process

        async def run_beside(module: str, *arguments: str) -> None:
            process = await Process.start(*arguments, environment={}, module=module)
            stack.push_async_callback(process.stop)

        await (await start("migrate")).ended()
        merchant = await _json_of(
            environment, "merchant", "create", "Bench", "--network", "127.0.0.0/8", "--json"
        )
        credential = await _json_of(environment, "credential", "create", merchant["id"], "--json")
        hosts = [f"127.77.{number // 250}.{number % 250 + 1}" for number in range(terminals)]
        await run_beside("bench.terminals", str(think_seconds), *hosts)
        await run_beside("bench.bare", amqp_url, f"{run}.bare")
        api, worker = await start("api"), await start("terminal-worker")
        await asyncio.gather(api.ready(), worker.ready())
        api_port = (await api.logged(API_LINE))["port"]
        assert isinstance(api_port, int)
        yield BenchSystem(
            api_port,
            credential["username"],
            credential["secret"],
            hosts,
            f"{run}.bare",
            {"API": api.pid, "terminal worker": worker.pid},
        )


@asynccontextmanager
async def database_named(postgres_url: str, name: str) -> AsyncIterator[str]:
    """Create a database on the server, yield its URL, and drop it at the end."""
    url = make_url(postgres_url)
    connection = await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False), timeout=10
    )
    await connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await connection.close()


async def _json_of(environment: dict[str, str], *arguments: str) -> dict[str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    found = json.loads(output)
    assert isinstance(found, dict)
    return found
