"""Errors of the database, the same for PostgreSQL and SQLite.

Their texts are the server's main message: its details and a statement's parameters hold clients' data.
"""

from typing import Final

#: Serialization failure and deadlock, by SQLSTATE.
RETRIED_SQLSTATES: Final = frozenset({"40001", "40P01"})
#: The server ended a statement: `lock_timeout` (55P03), `statement_timeout` or an administrator (57014).
CANCELLED_SQLSTATES: Final = frozenset({"55P03", "57014"})
#: Connection exceptions (08), a server turned read-only (25006), a transaction that was idle or open for too
#: long (25P03, 25P04), no connection, memory or disk left (53), shutdown or startup (57P), an error of its
#: files (58): a later try may succeed.
UNAVAILABLE_SQLSTATES: Final = ("08", "25006", "25P03", "25P04", "53", "57P", "58")
#: The same on SQLite, by its messages.
UNAVAILABLE_SQLITE: Final = ("disk is full", "disk I/O error", "unable to open database", "readonly database")
UNIQUE_SQLSTATE: Final = "23505"
#: Account, password or certificate not accepted (28), no such database (3D).
REFUSED_SQLSTATES: Final = ("28", "3D")


class DatabaseUnavailable(Exception):
    """Raised when the database cannot be reached or does not answer; nothing of a transaction was stored."""


class StatementCancelled(DatabaseUnavailable):
    """Raised when the database cancelled a statement; nothing of the transaction was stored.

    The database answers: a loop over several rows goes on with the next one.
    """


class ConnectionLost(DatabaseUnavailable):
    """Raised when an open connection ended before the commit was sent, as after a restart of the server."""


class DatabaseBusy(DatabaseUnavailable):
    """Raised when no connection of the pool was free in time; nothing was sent to the database."""


class CommitUnknown(Exception):
    """Raised when the connection was lost while committing; read back before anything follows from it."""


class StatementError(Exception):
    """Raised for a statement that the database refuses, an error of the code; nothing was stored.

    `sqlstate` is empty on SQLite.
    """

    def __init__(self, message: str, sqlstate: str = "") -> None:
        super().__init__(message if not sqlstate else f"{message} ({sqlstate})")
        self.sqlstate: Final = sqlstate


class LoginRefused(StatementError):
    """Raised where PostgreSQL accepts no connection of this account to this database; waiting is no help."""


class UniqueViolation(StatementError):
    """Raised where a row has the key of another one."""


class TransactionConflict(StatementError):
    """Raised for a serialization failure, a deadlock and SQLITE_BUSY: the transaction has to run again."""


class TransactionFailed(StatementError):
    """Raised for a commit that the server answers with a rollback, after an error that the code ignored."""


def known_error(message: str, sqlstate: str, *, is_lost: bool) -> Exception:
    """Return the exception for an error of the database; `sqlstate` is empty on SQLite.

    `is_lost`: the connection has ended.
    """
    if sqlstate in CANCELLED_SQLSTATES:
        return StatementCancelled(message)
    if is_lost:
        return ConnectionLost(message)
    if sqlstate:
        return _of_postgresql(message, sqlstate)
    if "is locked" in message:
        return TransactionConflict(message)
    if any(sign in message for sign in UNAVAILABLE_SQLITE):
        return DatabaseUnavailable(message)
    return (UniqueViolation if "UNIQUE constraint failed" in message else StatementError)(message)


def _of_postgresql(message: str, sqlstate: str) -> Exception:
    if sqlstate in RETRIED_SQLSTATES:
        return TransactionConflict(message, sqlstate)
    if sqlstate.startswith(UNAVAILABLE_SQLSTATES):
        return DatabaseUnavailable(message)
    if sqlstate.startswith(REFUSED_SQLSTATES):
        return LoginRefused(message, sqlstate)
    return (UniqueViolation if sqlstate == UNIQUE_SQLSTATE else StatementError)(message, sqlstate)
