"""Checks of the database: reachable, durable, of this release, with a clock like ours."""

import sqlite3
import time
from typing import TYPE_CHECKING, Final

from cli.doctor.finding import Finding, Findings, Level
from shared.storage.db.connections.pooler import pooler_problem
from shared.storage.db.connections.urls import sqlite_path
from shared.storage.db.engine import Database, DatabaseUnavailable
from shared.storage.db.errors import LoginRefused
from shared.storage.db.opening import check_durability, open_database
from shared.storage.db.schema.steps import is_too_new, is_too_old, needed
from shared.storage.db.schema.version import known_versions, schema_version
from shared.storage.db.statement import Statement

if TYPE_CHECKING:
    from shared.settings.settings import Settings

PART: Final = "database"
OLDEST_POSTGRESQL: Final = 14
#: Only shown times depend on our clock; all decisions are by the database's.
CLOCK_WARNING_SECONDS: Final = 2.0
#: API, terminal worker and notifier worker.
_PROCESSES: Final = 3

_NOW: Final = Statement("SELECT {now} AS now")
_SERVER: Final = Statement(
    "SELECT current_setting('server_version_num')::int AS version,"
    " current_setting('max_connections')::int AS connections"
)


async def check_database(settings: "Settings") -> Findings:
    """Yield what is found; nothing more once the database does not answer."""
    url = settings.database_url.get_secret_value()
    path = sqlite_path(url)
    if path is not None and not path.exists():
        yield Finding(PART, Level.PROBLEM, f"There is no file {path}.", "cloud-terminal db migrate")
        return
    database = open_database(
        url, pool_size=1, pooler=settings.database_pooler, ca_file=settings.database_ca_file
    )
    try:
        problem = await pooler_problem(database, settings.database_pooler)
        if problem is not None:
            yield Finding(PART, Level.PROBLEM, problem, "Set the pooler as the database is reached.")
            return
        async for finding in _check_open(database, settings):
            yield finding
    except (DatabaseUnavailable, LoginRefused) as error:
        yield Finding(
            PART, Level.PROBLEM, f"It does not answer: {error}.", "Start it, or correct its URL and account."
        )
    finally:
        await database.close()


async def _check_open(database: Database, settings: "Settings") -> Findings:
    yield await (_server(database, settings) if database.dialect == "postgresql" else _sqlite())
    durability = await check_durability(database)
    if durability is not None:
        yield Finding(PART, Level.PROBLEM, f"{durability}: a payment could be lost.", "Switch it on.")
    found, known = await schema_version(database), known_versions()
    if found is None or is_too_old(known, found):
        fact = f"The schema is {found or 'empty'}; this release needs {needed(known)}."
        yield Finding(PART, Level.PROBLEM, fact, "cloud-terminal db migrate")
    elif is_too_new(known, found):
        fact = f"The schema ({found}) is a newer release's and lacks what this one uses."
        yield Finding(PART, Level.PROBLEM, fact, "Run that release.")
    elif found in known:
        yield Finding(PART, Level.OK, f"The schema is this release's ({found}).")
    else:
        fact = f"The schema ({found}) is of a newer release."
        yield Finding(PART, Level.WARNING, fact, "Update this process, too.")
    yield await _clock(database)


async def _server(database: Database, settings: "Settings") -> Finding:
    row = await database.read(lambda tx: tx.one(_SERVER))
    assert row is not None, "it is one row"
    name = f"PostgreSQL {row.version // 10_000}.{row.version % 10_000}"
    if row.version < OLDEST_POSTGRESQL * 10_000:
        return Finding(PART, Level.PROBLEM, f"{name} is too old.", f"Use {OLDEST_POSTGRESQL} or newer.")
    wanted = _PROCESSES * settings.database_pool_size
    if settings.database_pooler == "none" and wanted > row.connections:
        return Finding(
            PART,
            Level.WARNING,
            f"{name} takes {row.connections} connections; one API and two workers use {wanted}.",
            "Raise max_connections, or lower CLOUD_TERMINAL_DATABASE_POOL_SIZE.",
        )
    return Finding(PART, Level.OK, f"{name} answers.")


async def _sqlite() -> Finding:
    return Finding(PART, Level.OK, f"SQLite {sqlite3.sqlite_version} is opened: one machine, one small shop.")


async def _clock(database: Database) -> Finding:
    before = time.time()
    row = await database.read(lambda tx: tx.one(_NOW))
    assert row is not None, "it is one row"
    # Half of the way there and back.
    apart = row.now / 1000 - (before + time.time()) / 2
    fact = f"Its clock and this machine's are {abs(apart):.1f} s apart."
    if abs(apart) <= CLOCK_WARNING_SECONDS:
        return Finding(PART, Level.OK, fact)
    return Finding(PART, Level.WARNING, fact, "Set both clocks by NTP: logs and payments show other times.")
