"""Statements that PostgreSQL itself cancels: by its time-outs, or as an administrator does.

In place of a chosen statement another one is sent, on the same connection and in the same transaction, that
the server is certain to cancel: the error is its own, and so is what it does to the transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from payments import change, rows
from races.watched_connections import Sent, watched

from shared.runtime.ids import is_payment_id
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

_ADVISORY_LOCK: Final = 20_260_000

#: `pg_cancel_backend`, as an administrator does: 57014, at once.
BY_HAND: Final = "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)"
#: 57014, once `statement_timeout` is over.
BY_STATEMENT_TIMEOUT: Final = "SELECT pg_sleep(60)"
#: 55P03, once `lock_timeout` is over; the lock is held by `timeouts_set`.
BY_LOCK_TIMEOUT: Final = f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"

_NEVER: Final = 1_000_000


@dataclass
class Trouble:
    """Cancels one payment's statement number `at` (from 0), and for `seconds` all that follow it."""

    at: int = _NEVER
    seconds: float = 0.0
    instead: str = BY_HAND
    #: Every statement of the payment so far, by its text.
    sent: list[str] = field(default_factory=list)
    cancelled: int = 0
    _until: float | None = None

    def strikes(self, statement: str) -> bool:
        """Note a statement that is about to be sent; return True if it is to be cancelled."""
        now = asyncio.get_running_loop().time()
        if self._until is None and len(self.sent) == self.at:
            self._until = now + self.seconds
            strikes = True
        else:
            strikes = self._until is not None and now < self._until
        self.sent.append(statement)
        self.cancelled += strikes
        return strikes


@contextmanager
def troubled(database: Database) -> Iterator[dict[str, Trouble]]:
    """Yield the mapping of a payment's id, or its terminal address, to its trouble on these connections.

    A statement belongs to the payment that its parameters name, or the transaction's earlier ones.
    """
    troubles: dict[str, Trouble] = {}

    of_lent: WeakKeyDictionary[object, Trouble] = WeakKeyDictionary()

    async def before(sent: Sent) -> None:
        named = next((troubles[one] for one in _texts(sent) if one in troubles), None)
        trouble = of_lent.setdefault(sent.lent, named) if named else of_lent.get(sent.lent)
        if trouble is not None and trouble.strikes(sent.statement.on("postgresql")):
            sent.statement, sent.parameters = Statement(trouble.instead), {}

    with watched(database, before_statement=before):
        yield troubles


@contextmanager
def observed(accepting: Database, troubles: dict[str, Trouble]) -> Iterator[None]:
    """Give payments accepted on these connections for a troubled terminal that terminal's trouble."""

    async def before(sent: Sent) -> None:
        texts = list(_texts(sent))
        for trouble in [troubles[one] for one in texts if one in troubles]:
            troubles.update({one: trouble for one in texts if is_payment_id(one)})

    with watched(accepting, before_statement=before):
        yield


def _texts(sent: Sent) -> Iterator[str]:
    for one in sent.parameters.values():
        if isinstance(one, str):
            yield one


@asynccontextmanager
async def timeouts_set(database: Database, *, statement: str, lock: str) -> AsyncIterator[None]:
    """Set both time-outs on the database, for connections that are opened in the block."""
    (row,) = await rows(database, "SELECT current_database() AS name")
    await change(database, f"ALTER DATABASE \"{row.name}\" SET statement_timeout = '{statement}'")
    await change(database, f"ALTER DATABASE \"{row.name}\" SET lock_timeout = '{lock}'")
    try:
        async with database._reader.connect() as connection:
            tx = Transaction(connection, database.dialect)
            await tx.all(Statement(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})"))
            yield
            await tx.all(Statement(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})"))
    finally:
        await change(database, f'ALTER DATABASE "{row.name}" RESET ALL')
