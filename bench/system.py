"""The measured system: API, worker, terminals and the bare responder, as processes of their own."""

import asyncio
import itertools
import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from bench.terminals import LISTENING_LINE
from shared.runtime.processes import API_LINE, Process

#: The second byte of the terminals' addresses; systems of this process and of others may run at once.
_blocks = itertools.count(64 + secrets.randbelow(128))


@dataclass(frozen=True, slots=True)
class BenchSystem:
    """The addresses, the credential and the terminals of a running system."""

    api_port: int
    username: str
    secret: str
    hosts: list[str]
    bare_queue: str
    database_url: str
    #: The measured processes by the name that tables show; ports of their metrics by the same names.
    pids: dict[str, int]
    management_ports: dict[str, int]


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses of RabbitMQ and PostgreSQL."""

    amqp_url: str
    postgres_url: str

    @staticmethod
    def given() -> "Servers":
        """Return those of the environment, where `python -m sandbox.servers` puts them."""
        return Servers(os.environ["TEST_AMQP_URL"], os.environ["TEST_POSTGRES_URL"])


@asynccontextmanager
async def running_system(
    servers: Servers,
    *,
    terminals: int,
    think_seconds: float = 0,
    settings: Mapping[str, str] | None = None,
    on_sqlite: bool = False,
    with_worker: bool = True,
) -> AsyncIterator[BenchSystem]:
    """Start everything on a database and a queue prefix of its own; remove it all at the end.

    A terminal answers after `think_seconds`; `settings` are variables of all processes. Without a worker
    payments stay queued.
    """
    run = f"bench_{os.getpid()}_{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloud-terminal-bench-")))
        database_url = (
            f"sqlite+aiosqlite:///{folder}/database/bench.db"
            if on_sqlite
            else await stack.enter_async_context(database_named(servers.postgres_url, run))
        )
        environment = {
            "CLOUD_TERMINAL_DATABASE_URL": database_url,
            "CLOUD_TERMINAL_AMQP_URL": servers.amqp_url,
            "CLOUD_TERMINAL_AMQP_PREFIX": f"{run}.",
            "CLOUD_TERMINAL_SECRET_KEY": secrets.token_hex(32),
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
                verb, *arguments, environment=environment, log=folder / f"{verb}-{secrets.token_hex(2)}.log"
            )
            stack.push_async_callback(process.stop)
            return process

        async def run_beside(module: str, *arguments: str) -> Process:
            process = await Process.start(
                *arguments, environment={}, module=module, log=folder / f"{module}.log"
            )
            stack.push_async_callback(process.stop)
            return process

        await (await start("db", "migrate")).ended()
        merchant = await _json_of(
            environment, "merchants", "create", "Bench", "--network", "127.0.0.0/8", "--json"
        )
        credential = await _json_of(environment, "credentials", "create", merchant["id"], "--json")
        hosts = _hosts(terminals)
        played = await run_beside("bench.terminals", str(think_seconds), *hosts)
        await played.logged(LISTENING_LINE)
        await run_beside("bench.bare", servers.amqp_url, f"{run}.bare")
        processes = {"API": await start("api")}
        if with_worker:
            processes["terminal worker"] = await start("terminal-worker")
        ports = await asyncio.gather(*(process.ready() for process in processes.values()))
        yield BenchSystem(
            api_port=(await processes["API"].logged(API_LINE))["port"],
            username=credential["username"],
            secret=credential["secret"],
            hosts=hosts,
            bare_queue=f"{run}.bare",
            database_url=database_url,
            pids={name: process.pid for name, process in processes.items()},
            management_ports=dict(zip(processes, ports, strict=True)),
        )


def _hosts(number: int) -> list[str]:
    """Return addresses that no other system of this process has."""
    block = next(_blocks)
    return [f"127.{block}.{index // 250}.{index % 250 + 1}" for index in range(number)]


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
