"""Statements that PostgreSQL itself cancels: by its time-outs, or as an administrator does.

In place of a chosen statement another one is sent, on the same connection and in the same transaction, that
the server is certain to cancel: the error is its own, and so is what it does to the transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from payments import change, rows
from sqlalchemy import event, text

from shared.runtime.ids import is_payment_id
from shared.storage.db.engine import Database

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

    def begin(connection: Any) -> None:
        connection.info.pop("trouble", None)

    def before(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> Any:
        named = next((troubles[one] for one in _texts(parameters) if one in troubles), None)
        trouble = connection.info.setdefault("trouble", named) if named else connection.info.get("trouble")
        if trouble is not None and trouble.strikes(statement):
            return trouble.instead, ()
        return statement, parameters

    engine = database._writer.sync_engine
    event.listen(engine, "begin", begin)
    event.listen(engine, "before_cursor_execute", before, retval=True)
    try:
        yield troubles
    finally:
        event.remove(engine, "begin", begin)
        event.remove(engine, "before_cursor_execute", before)


@contextmanager
def observed(accepting: Database, troubles: dict[str, Trouble]) -> Iterator[None]:
    """Give payments accepted on these connections for a troubled terminal that terminal's trouble."""

    def before(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
        texts = list(_texts(parameters))
        for trouble in [troubles[one] for one in texts if one in troubles]:
            troubles.update({one: trouble for one in texts if is_payment_id(one)})

    engine = accepting._writer.sync_engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)


def _texts(parameters: Any) -> Iterator[str]:
    for one in parameters or ():
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
            await connection.execute(text(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})"))
            yield
            await connection.execute(text(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})"))
    finally:
        await change(database, f'ALTER DATABASE "{row.name}" RESET ALL')
