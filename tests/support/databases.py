"""A migrated, empty database for each test, on PostgreSQL and on SQLite.

A pytest plugin; the server comes from the fixture `postgres_server_url` (a superuser's
`postgresql+asyncpg://.../postgres`). Each process of a parallel run has a template of its own and one copy
of it that its tests use in turn, emptied after each: that takes 10 ms, a copy a test took a second on a busy
disk. On SQLite each test has a file of its own.
"""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from shared.storage.db.accounts import GRANTS, grant_accounts
from shared.storage.db.engine import Database, StatementError
from shared.storage.db.opening import open_database
from shared.storage.db.schema.migrate import METADATA, migrate
from shared.storage.db.statement import Dialect

#: Of the accounts that API and workers have on PostgreSQL.
ACCOUNT_PASSWORD: Final = "only-for-tests-0123456789"

DIALECTS: Final[tuple[Dialect, ...]] = ("postgresql", "sqlite")


@dataclass(frozen=True)
class Store:
    """A test's database; `open` connects to it as one more process."""

    url: str

    def open(self) -> Database:
        return open_database(self.url, rng=random.Random(1))


async def _administer(server_url: str, *statements: str) -> None:
    url = make_url(server_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _migrate(url: str) -> None:
    await migrate(url)
    database = open_database(url)
    try:
        if database.dialect == "postgresql":
            await _grant(database)
    finally:
        await database.close()


async def _grant(database: Database) -> None:
    """Accounts are the server's: other runs may make them at the same moment."""
    for _ in range(20):
        try:
            return await grant_accounts(database, dict.fromkeys(GRANTS, ACCOUNT_PASSWORD))
        except StatementError as error:
            if "concurrently" not in str(error):
                raise
            await asyncio.sleep(random.uniform(0.01, 0.2))
    raise AssertionError("the accounts are always changed by others")


def as_account(url: str, account: str) -> str:
    """Return the database's address for an account of a kind of process; SQLite has none."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return url
    return parsed.set(username=account, password=ACCOUNT_PASSWORD).render_as_string(hide_password=False)


def _url_of(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_template(postgres_server_url: str) -> Iterator[str]:
    """The name of a migrated database that the tests' own are copied from."""
    name = f"template_{uuid4().hex[:12]}"
    asyncio.run(_administer(postgres_server_url, f"CREATE DATABASE {name}"))
    asyncio.run(_migrate(_url_of(postgres_server_url, name)))
    yield name
    asyncio.run(_administer(postgres_server_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that the tests' own are copied from."""
    path = tmp_path_factory.mktemp("template") / "migrated.db"
    asyncio.run(_migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@contextmanager
def copied(server_url: str, template: str) -> Iterator[str]:
    """Copy the template while the block runs, whose value is the copy's URL."""
    name = f"test_{uuid4().hex[:12]}"
    asyncio.run(_administer(server_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield _url_of(server_url, name)
    asyncio.run(_administer(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def postgres_copy(postgres_server_url: str, postgres_template: str) -> Iterator[str]:
    """The URL of the database that this process's tests use in turn."""
    with copied(postgres_server_url, postgres_template) as url:
        yield url


@pytest.fixture
async def postgres_store(postgres_copy: str) -> AsyncIterator[Store]:
    yield Store(postgres_copy)
    # What a failed test left open would keep its locks.
    await _administer(
        postgres_copy,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        # Without the triggers that keep the audit trail as it is.
        "SET session_replication_role = replica",
        *(f"DELETE FROM {table.name}" for table in reversed(METADATA.sorted_tables)),
    )


@pytest.fixture
async def empty_postgres_url(postgres_server_url: str) -> AsyncIterator[str]:
    """The URL of a PostgreSQL database of the test's own, without any table."""
    name = f"test_{uuid4().hex[:12]}"
    await _administer(postgres_server_url, f"CREATE DATABASE {name}")
    yield _url_of(postgres_server_url, name)
    await _administer(postgres_server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Store:
    path = tmp_path / "cloud-terminal.db"
    shutil.copyfile(sqlite_template, path)
    return Store(f"sqlite+aiosqlite:///{path}")


@pytest.fixture(params=DIALECTS)
def store(request: pytest.FixtureRequest) -> Store:
    """A migrated store of a test's own, on one database and on the other."""
    found = request.getfixturevalue("postgres_store" if request.param == "postgresql" else "sqlite_store")
    assert isinstance(found, Store)
    return found


@pytest.fixture
async def database(store: Store) -> AsyncIterator[Database]:
    """One process's connections, on one database and on the other."""
    opened = store.open()
    yield opened
    await opened.close()


@pytest.fixture
async def second_database(store: Store) -> AsyncIterator[Database]:
    """Another process's connections to the same store as `database`."""
    opened = store.open()
    yield opened
    await opened.close()


@pytest.fixture
async def postgres_database(postgres_store: Store) -> AsyncIterator[Database]:
    opened = postgres_store.open()
    yield opened
    await opened.close()


@pytest.fixture
async def second_postgres_database(postgres_store: Store) -> AsyncIterator[Database]:
    """Another process's connections to the same store as `postgres_database`."""
    opened = postgres_store.open()
    yield opened
    await opened.close()
