"""A function in PostgreSQL, and its call as a transaction of its own.

A function takes the usual case. An unusual one it leaves as it is, for the statements that every database
runs: it returns nothing if it has changed nothing, and raises `UNUSUAL` where it has to undo what it did.

A function is VOLATILE, so that each of its statements sees what was committed before it, as in READ
COMMITTED. One statement of several parts would see what was there before it waited for a lock. A version is
part of its name: processes of two releases run beside each other, and each calls the one that it knows. So
a change makes a new function, and the earlier one stays for one release.
"""

from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Database, Row, StatementError
from shared.storage.db.statement import Statement

#: The SQLSTATE by which a function undoes what it did.
UNUSUAL: Final = "CT001"

#: The database's time in milliseconds since 1970, read after the locks of earlier statements.
NOW: Final = "(extract(epoch from clock_timestamp()) * 1000)::bigint"


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its name with its version, and the statement that creates it."""

    name: str
    definition: str


async def call(database: Database, statement: Statement, **parameters: object) -> Row | None:
    """Return the only row of a function that ran as a transaction of its own; None: the case is unusual.

    SQLite has no functions: every case is unusual there. Raises DatabaseUnavailable, CommitUnknown: the call
    commits with its answer, and may be carried out after its connection is lost.
    """
    if database.dialect != "postgresql":
        return None
    try:
        return await database.write_one(statement, **parameters)
    except StatementError as error:
        if error.sqlstate != UNUSUAL:
            raise
        return None
