"""`cloud-terminal migrate`."""

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.settings.settings import Settings


def run_migrations() -> None:
    """Bring the database to this release's schema; run it before new processes start."""
    from rich.console import Console

    from cli.process import plain_errors, run_on_loop
    from shared.settings.load import load_settings

    with plain_errors():
        before, after = run_on_loop(migrate_database(load_settings()))
    console = Console(highlight=False)
    if before == after:
        console.print(f"The schema is up to date: {after}.")
    else:
        console.print(f"The schema went from {before or 'nothing'} to {after}.")


async def migrate_database(settings: "Settings") -> tuple[str | None, str | None]:
    """Migrate; on SQLite make the database's folder where it is missing. Return the versions around it."""
    from sqlalchemy.engine import make_url

    from shared.storage.engine import open_database, sqlite_path
    from shared.storage.migrate import migrate
    from shared.storage.private_files import make_private_folder

    url = settings.database_url.get_secret_value()
    path = sqlite_path(make_url(url))
    if path is not None:
        make_private_folder(path.parent)
    # A migration of a large table takes its time.
    database = open_database(
        url,
        pool_size=1,
        rng=random.SystemRandom(),
        statement_seconds=None,
        pooler=settings.database_pooler,
    )
    try:
        return await migrate(database)
    finally:
        await database.close()
