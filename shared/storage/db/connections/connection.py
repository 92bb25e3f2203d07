"""Connections, their pool and their rows as `Database` uses them, whichever driver is behind them.

Their methods raise the exceptions of `shared.storage.db.errors` and no others of the driver.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from shared.storage.db.statement import Statement

#: Wait for a connection of the pool in seconds; past it the database is busy.
POOL_SECONDS = 10.0


class Row(Protocol):
    """A row whose columns are attributes, in the statement's order."""

    @property
    def _mapping(self) -> Mapping[str, Any]:
        """Return the values by the columns' names."""

    def __getattr__(self, name: str, /) -> Any: ...
    def __getitem__(self, index: int, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...


class Connection(Protocol):
    """A connection while it is lent; outside of a transaction each statement is one of its own."""

    async def begin(self) -> None:
        """Begin a transaction, on PostgreSQL at READ COMMITTED."""

    async def commit(self) -> None:
        """Commit; nothing is stored after TransactionConflict and TransactionFailed, any other is unknown."""

    async def fetch(self, statement: Statement, parameters: Mapping[str, object]) -> Sequence[Row]:
        """Return all rows of a statement, none for one that returns no rows."""

    async def run(self, statement: Statement, parameters: Mapping[str, object]) -> int:
        """Return the number of rows that were changed."""

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each row of parameters, in one round trip."""


class Pool(Protocol):
    """Connections that are lent in turn."""

    @property
    def needs_transactions(self) -> bool:
        """Return True where a statement outside of a transaction may end on another connection."""

    @property
    def size(self) -> int:
        """The limit of connections."""

    @property
    def in_use(self) -> int:
        """The number of connections that are lent."""

    @property
    def waiting(self) -> int:
        """The number of callers that wait for one."""

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection; a transaction that is open at the block's end is rolled back.

        Raises DatabaseBusy where none is free in time, DatabaseUnavailable.
        """

    async def close(self) -> None:
        """Close the connections."""
