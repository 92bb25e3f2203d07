"""Fixtures of a system for each test: an API, and the workers and terminals that the test starts.

A folder's conftest imports those that its tests use. Settings that differ are a module's or a test's own
`limits`.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from databases import Store
from system import System, delete_queues, system_on
from wire.amqp_proxy import AmqpProxy, amqp_proxy


@pytest.fixture(scope="session")
def system_prefix(amqp_url: str) -> Iterator[str]:
    """Return the prefix of the queues of all systems of this process, which come one after the other.

    A message that one of them leaves behind names a payment that the next one does not have.
    """
    prefix = f"t-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{secrets.token_hex(4)}."
    yield prefix
    asyncio.run(delete_queues(amqp_url, prefix))


@pytest.fixture
def own_prefix(amqp_url: str, amqp_prefix: str) -> Iterator[str]:
    """Return the prefix of queues of this test alone: a message of another test disturbs its processes."""
    yield amqp_prefix
    asyncio.run(delete_queues(amqp_url, amqp_prefix))


@pytest.fixture
def limits() -> dict[str, object]:
    """Return the settings of `system` that differ from the short ones of all tests."""
    return {}


@pytest.fixture
async def system(
    postgres_store: Store, amqp_url: str, system_prefix: str, limits: dict[str, object]
) -> AsyncIterator[System]:
    """On PostgreSQL."""
    async with system_on(postgres_store.url, amqp_url, system_prefix, **limits) as running:
        yield running


@pytest.fixture
async def sqlite_system(
    sqlite_store: Store, amqp_url: str, system_prefix: str, limits: dict[str, object]
) -> AsyncIterator[System]:
    async with system_on(sqlite_store.url, amqp_url, system_prefix, **limits) as running:
        yield running


@pytest.fixture(params=["postgresql", "sqlite"])
def system_on_both(request: pytest.FixtureRequest) -> System:
    """On one database and on the other."""
    found = request.getfixturevalue("system" if request.param == "postgresql" else "sqlite_system")
    assert isinstance(found, System)
    return found


@pytest.fixture
async def way(amqp_url: str) -> AsyncIterator[AmqpProxy]:
    """A proxy in front of the broker that a test can cut; named before `system`, it outlives it."""
    async with amqp_proxy(amqp_url) as proxy:
        yield proxy
