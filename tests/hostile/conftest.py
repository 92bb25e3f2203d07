"""API process that is attacked.

Each case prints a line of the table: its name, how long it took, what it cost the process in memory, and what
somebody else's health checks took meanwhile.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from databases import Store
from running.attacks import Target, watching
from running.fleet import fleet_of
from system import LOOPBACK, System, delete_queues, system_on
from wire.raw_http import basic

from shared.security.credentials import CredentialKind


@pytest.fixture
def broker_url(amqp_url: str) -> str:
    """Return the dialect; a file may choose another one."""
    return amqp_url


@pytest.fixture
def api_module() -> str:
    """Return the module that runs the API process."""
    return "cli"


@pytest.fixture
def more_settings() -> dict[str, object]:
    """Return settings of all processes, for the attacks of one file."""
    return {}


@pytest.fixture
def prefix(broker_url: str, amqp_prefix: str) -> Iterator[str]:
    yield amqp_prefix
    asyncio.run(delete_queues(broker_url, amqp_prefix))


@pytest.fixture
async def target(
    postgres_store: Store,
    broker_url: str,
    prefix: str,
    api_module: str,
    more_settings: dict[str, object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> AsyncIterator[Target]:
    """Run an API process as an installation does, on PostgreSQL; loopback is no trusted proxy."""
    settings: dict[str, object] = {
        "database_url": postgres_store.url,
        "amqp_url": broker_url,
        "amqp_prefix": prefix,
        "secret_key": secrets.token_hex(32),
        "api_port": 0,
        "management_port": 0,
        "log_format": "json",
        "trusted_proxies": (),
        # Attacks by one credential, which are judged by what they do, not by their number.
        "import_requests_burst": 1_000_000,
        "management_requests_burst": 1_000_000,
        "order_requests_burst": 1_000_000,
        "api_unready_seconds": 0,
        "api_drain_seconds": 241,
        **more_settings,
    }

    def print_line(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", end="")  # noqa: T201 - the table is what `make hostile` shows

    async with (
        system_on(
            postgres_store.url, broker_url, prefix, secret_key=settings["secret_key"], trusted_proxies=()
        ) as system,
        fleet_of(settings, tmp_path) as fleet,
    ):
        process = await fleet.start("api", module=api_module)
        port = int((await process.logged("API is serving"))["port"])
        async with watching(port) as bystander:
            pass
        logins, idle_seconds = await _logins(system), bystander.slowest_hundredth
        yield Target(process, port, logins, idle_seconds, print_line, fleet, system)


async def _logins(system: System) -> dict[str, dict[str, str]]:
    merchant = await system.login(LOOPBACK)
    gateway = await system.login(kind=CredentialKind.GATEWAY, merchant=False)
    operator = await system.login(kind=CredentialKind.OPERATOR, merchant=False)
    named = {"merchant": merchant, "gateway": gateway, "operator": operator}
    return {"none": {}, **{kind: basic(login.username, login.secret) for kind, login in named.items()}}
