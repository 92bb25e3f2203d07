"""Connections behind a pooler: their arguments, and a check that the settings name the pooler that is there.

A pooler in transaction mode (PgBouncer) lends a connection for one transaction: names of prepared statements,
parameters of the session and its locks do not last.
"""

from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from shared.network.tls import verifying_context
from shared.settings.fields import variable
from shared.storage.db.connections.postgres import PostgresConnection
from shared.storage.db.engine import Database, DatabaseUnavailable, Transaction
from shared.storage.db.statement import Statement

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


_SERVING_PROCESS: Final = Statement("SELECT pg_backend_pid()")
_IDLE_LIMIT: Final = Statement(f"SHOW {IDLE_IN_TRANSACTION}")


def connect_arguments(pooler: Pooler, ca_file: Path | None) -> dict[str, Any]:
    """Return asyncpg's arguments; behind a pooler no statement stays prepared.

    With `ca_file` the server has to show a certificate for its name, signed by one of its authorities.
    """
    tls = {} if ca_file is None else {"ssl": verifying_context(ca_file)}
    if pooler == "transaction":
        return {
            "server_settings": {"application_name": "cloud-terminal"},
            "statement_cache_size": 0,
            **tls,
        }
    return {
        **tls,
        "server_settings": {
            "application_name": "cloud-terminal",
            # A frozen process must not keep its row locks: its terminal locks could not even be taken over.
            IDLE_IN_TRANSACTION: str(int(IDLE_IN_TRANSACTION_SECONDS * 1000)),
            # For statements outside of a transaction: functions see what was committed before each of theirs.
            "default_transaction_isolation": "read committed",
            # Every statement here is short; compiling one takes longer than it runs.
            "jit": "off",
        },
    }


def alchemy_arguments(pooler: Pooler, ca_file: Path | None) -> dict[str, Any]:
    """Return the same for SQLAlchemy; behind a pooler each prepared statement has a name of its own."""
    arguments = connect_arguments(pooler, ca_file)
    if pooler == "transaction":
        arguments["prepared_statement_cache_size"] = 0
        arguments["prepared_statement_name_func"] = lambda: f"ct_{uuid4().hex}"
    return arguments


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
    assert isinstance(tx.connection, PostgresConnection)
    row = await tx.one(_SERVING_PROCESS)
    return None if row is not None and row[0] == tx.connection.server_process else _NOT_SET


async def _limit_problem(tx: Transaction) -> str | None:
    row = await tx.one(_IDLE_LIMIT)
    return _NO_LIMIT if row is None or row[0] == "0" else None
