"""Tells whether a pooler lends PostgreSQL's connections, and whether the settings say so.

A pooler in transaction mode (PgBouncer) gives a connection to somebody else after each transaction: names of
prepared statements, parameters of the session and its locks are then nobody's.
"""

from typing import Final

from sqlalchemy import text

from shared.settings.fields import variable
from shared.storage.db.engine import (
    IDLE_IN_TRANSACTION,
    IDLE_IN_TRANSACTION_SECONDS,
    Database,
    DatabaseUnavailable,
    Pooler,
    Transaction,
)

#: What PgBouncer says of a parameter that it does not pass on.
_REFUSED: Final = "unsupported startup parameter"
_SETTING: Final = f"{variable('database_pooler')}=transaction"

_NOT_SET: Final = (
    "a pooler in transaction mode (PgBouncer) seems to stand in front of PostgreSQL, where prepared"
    f" statements and parameters of a session are lost. Set {_SETTING} for every process, or connect to"
    " PostgreSQL itself."
)
_NO_LIMIT: Final = (
    f"with {_SETTING} the limit of idle transactions has to be set in PostgreSQL, or a frozen process could"
    f" keep its locks: ALTER ROLE the_user SET {IDLE_IN_TRANSACTION} = '{IDLE_IN_TRANSACTION_SECONDS:g}s'"
)


async def pooler_problem(database: Database, pooler: Pooler) -> str | None:
    """Return what is wrong with the way to PostgreSQL, in one sentence or two; None: nothing.

    Raises DatabaseUnavailable.
    """
    if database.dialect != "postgresql":
        return None
    try:
        return await database.read(_limit_problem if pooler == "transaction" else _lent_connection)
    except DatabaseUnavailable as error:
        if pooler == "none" and _REFUSED in str(error):
            return _NOT_SET
        raise


async def _lent_connection(tx: Transaction) -> str | None:
    """A pooler greets with numbers of its own: the server's process is another one than it named."""
    raw = await tx.connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None, "it is connected"
    serving = (await tx.connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    return None if serving == driver.get_server_pid() else _NOT_SET


async def _limit_problem(tx: Transaction) -> str | None:
    limit = (await tx.connection.execute(text(f"SHOW {IDLE_IN_TRANSACTION}"))).scalar_one()
    return _NO_LIMIT if limit == "0" else None
