"""Connections behind a pooler: their arguments, and a check that the settings name the pooler that is there.

A pooler in transaction mode (PgBouncer) lends a connection for one transaction: names of prepared statements,
parameters of the session and its locks do not last.
"""

from typing import Any, Final, Literal
from uuid import uuid4

from sqlalchemy import text

from shared.settings.fields import variable
from shared.storage.db.engine import Database, DatabaseUnavailable, Transaction

#: A pooler that lends a connection for one transaction, or none.
Pooler = Literal["none", "transaction"]

IDLE_IN_TRANSACTION: Final = "idle_in_transaction_session_timeout"
IDLE_IN_TRANSACTION_SECONDS: Final = 10.0

#: PgBouncer's error for a parameter that it does not pass on.
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


def connect_arguments(pooler: Pooler) -> dict[str, Any]:
    """Return the driver's arguments; behind a pooler each prepared statement has a name of its own."""
    if pooler == "transaction":
        return {
            "server_settings": {"application_name": "cloud-terminal"},
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"ct_{uuid4().hex}",
        }
    # A frozen process must not keep its row locks: its terminal locks could not even be taken over.
    idle_limit = {IDLE_IN_TRANSACTION: str(int(IDLE_IN_TRANSACTION_SECONDS * 1000))}
    return {"server_settings": {"application_name": "cloud-terminal", **idle_limit}}


async def pooler_problem(database: Database, pooler: Pooler) -> str | None:
    """Return the settings' error about the pooler, in a sentence or two; None: they are right.

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
    """Return the error if a pooler lends the connection: it greets with process numbers of its own."""
    raw = await tx.connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None, "it is connected"
    serving = (await tx.connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    return None if serving == driver.get_server_pid() else _NOT_SET


async def _limit_problem(tx: Transaction) -> str | None:
    limit = (await tx.connection.execute(text(f"SHOW {IDLE_IN_TRANSACTION}"))).scalar_one()
    return _NO_LIMIT if limit == "0" else None
