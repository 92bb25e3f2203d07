"""Open the database as every process needs it: reachable, durable, with this release's schema."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import make_url

from shared.settings.settings import Settings, SettingsError
from shared.storage.db.engine import Database, check_durability, open_database, sqlite_path
from shared.storage.db.migrate import SchemaTooOld, check_schema
from shared.storage.db.pooler import pooler_problem
from shared.storage.db.private_files import warn_of_open_folder


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """Raise DatabaseUnavailable, SchemaTooOld, or SettingsError where a crash could lose a payment."""
    pooler = settings.database_pooler
    url = settings.database_url.get_secret_value()
    path = sqlite_path(make_url(url))
    if path is not None and not path.exists():
        raise SchemaTooOld(f"there is no database {path}: run `cloud-terminal migrate`")
    database = open_database(url, pool_size=settings.database_pool_size, pooler=pooler)
    try:
        problem = await pooler_problem(database, pooler)
        if problem is not None:
            raise SettingsError(problem)
        await check_schema(database)
        if path is not None:
            warn_of_open_folder(path)
        problem = await check_durability(database)
        if problem is not None:
            raise SettingsError(f"{problem}: a payment could be lost. Switch it on and start again.")
        yield database
    finally:
        await database.close()
