"""The databases of these tests have one merchant."""

import pytest
from payments import with_merchant

from shared.storage.engine import Database


@pytest.fixture
async def database(database: Database) -> Database:
    await with_merchant(database)
    return database


@pytest.fixture
async def postgres_database(postgres_database: Database) -> Database:
    await with_merchant(postgres_database)
    return postgres_database
