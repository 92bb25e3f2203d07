"""The databases of these tests have one merchant."""

from pathlib import Path

import pytest
from payments import with_merchant

from shared.storage.db.engine import Database
from shared.storage.db.statement import Dialect


@pytest.fixture
async def database(database: Database) -> Database:
    await with_merchant(database)
    return database


@pytest.fixture
async def postgres_database(postgres_database: Database) -> Database:
    await with_merchant(postgres_database)
    return postgres_database


@pytest.fixture
def one(postgres_database: Database) -> Database:
    """One process's connections to PostgreSQL, and `two` another's to the same database."""
    return postgres_database


@pytest.fixture
def two(postgres_database: Database, second_postgres_database: Database) -> Database:
    return second_postgres_database


@pytest.fixture(params=["postgresql", "sqlite"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table."""
    dialect: Dialect = request.param
    if dialect == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    url = request.getfixturevalue("empty_postgres_url")
    assert isinstance(url, str)
    return url
