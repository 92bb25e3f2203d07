"""Commands `cloud-terminal db`: migrate, status."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.settings.settings import Settings
    from shared.storage.db.engine import Database


app = typer.Typer(
    help="The database: its schema's version, and migrations to this release's.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command("migrate")
def run_migrations(
    after: Annotated[
        bool,
        typer.Option(
            "--after",
            help="Also what the previous release could not live with: once its last process has ended.",
        ),
    ] = False,
    accounts: Annotated[
        Path | None,
        typer.Option(
            help="PostgreSQL: grant API and workers accounts of their own, with the passwords in this folder "
            "(postgres-api-password, postgres-terminal-password, postgres-notifier-password).",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Migrate the database to this release's schema; run it before the new processes start.

    Processes of the previous release go on meanwhile. Once the last of them has
    ended, `--after` removes what only they used.
    """
    from rich.console import Console

    from cli.process import command_settings, plain_errors, run_on_loop
    from shared.storage.db.schema.migrate import migrate_database

    with plain_errors():
        settings = command_settings()
        earlier, version = run_on_loop(migrate_database(settings, after=after))
        if accounts is not None:
            run_on_loop(_grant(settings, accounts))
    console = Console(highlight=False)
    if earlier == version:
        console.print(f"The schema is up to date: {version}.")
    else:
        console.print(f"The schema was migrated from {earlier or 'nothing'} to {version}.")


@app.command("status")
def show_status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare the schema's version with this release's; exit code 1 where this release cannot run on it."""
    from cli.process import EXIT_UNAVAILABLE, command_settings, plain_errors, run_on_loop
    from shared.storage.db.schema.steps import missing_steps, needed
    from shared.storage.db.schema.version import known_versions, refuse_too_new

    known = known_versions()
    with plain_errors():
        settings = command_settings()
        found = run_on_loop(_version(settings))
        if found is not None:
            refuse_too_new(known, found)
    missing, after = missing_steps(known, found)
    if as_json:
        print(json.dumps({"schema": found, "needed": needed(known), "missing": missing, "after": after}))
    elif missing:
        print(f"The schema is {found or 'empty'}; this release needs {needed(known)}.")
        print("Next: cloud-terminal db migrate")
    else:
        newer = "" if found in known else ", of a newer release"
        print(f"The schema is up to date: {found}{newer}.")
        if after:
            print("Once the previous release's last process has ended: cloud-terminal db migrate --after")
    if missing:
        raise typer.Exit(EXIT_UNAVAILABLE)


async def _version(settings: "Settings") -> str | None:
    from shared.storage.db.connections.urls import sqlite_path
    from shared.storage.db.opening import open_database
    from shared.storage.db.schema.version import schema_version

    url = settings.database_url.get_secret_value()
    path = sqlite_path(url)
    if path is not None and not path.exists():
        # Opening would make it.
        return None
    database = open_database(
        url, pool_size=1, pooler=settings.database_pooler, ca_file=settings.database_ca_file
    )
    try:
        return await schema_version(database)
    finally:
        await database.close()


async def _grant(settings: "Settings", folder: Path) -> None:
    from cli.process import EXIT_USAGE, fail
    from shared.storage.db.accounts import GRANTS, UnfitPassword, grant_accounts
    from shared.storage.db.opening import open_database

    database = open_database(
        settings.database_url.get_secret_value(),
        pool_size=1,
        rng=random.SystemRandom(),
        ca_file=settings.database_ca_file,
    )
    try:
        if database.dialect != "postgresql":
            raise fail("--accounts: only PostgreSQL has accounts.", EXIT_USAGE)
        files = {name: folder / f"postgres-{name.rpartition('_')[2]}-password" for name in GRANTS}
        await grant_accounts(database, {name: file.read_text().strip() for name, file in files.items()})
    except OSError as error:
        raise fail(f"--accounts: {error.filename}: {error.strerror}.", EXIT_USAGE) from error
    except UnfitPassword as error:
        raise fail(
            f"--accounts: the password of {error} is not 16 to 128 letters and digits.", EXIT_USAGE
        ) from error
    finally:
        await database.close()


@asynccontextmanager
async def opened_or_made_database(settings: "Settings") -> AsyncIterator["Database"]:
    """Open the database; create an SQLite database that does not exist yet, as for the first merchant."""
    from shared.storage.db.connections.urls import sqlite_path
    from shared.storage.db.opening import opened_database

    path = sqlite_path(settings.database_url.get_secret_value())
    if path is not None and not path.exists():
        from shared.storage.db.schema.migrate import migrate_database

        await migrate_database(settings)
        typer.echo(f"New database: {path}", err=True)
    async with opened_database(settings) as database:
        yield database
