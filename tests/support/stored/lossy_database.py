"""A database that becomes unavailable, or loses the answers of its commits, when a test says so."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable, Row, Transaction
from shared.storage.db.statement import Statement

Result = TypeVar("Result")


class LossyDatabase(Database):
    """The real database; only the answers that its client gets are changed."""

    def __init__(self, real: Database) -> None:
        super().__init__(real._writer, real._reader, real.dialect, real._rng)
        #: Neither reads nor writes come through.
        self.is_unavailable = False
        #: So many of the next writes are committed and their answer is lost.
        self.lost_commits = 0

    async def read(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        self._check()
        return await super().read(work)

    async def write(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        self._check()
        result = await super().write(work)
        self._lose_answer()
        return result

    async def write_rows(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        self._check()
        if self.dialect == "sqlite" or self._writer.needs_transactions:
            return await super().write_rows(statement, **parameters)
        rows = await super().write_rows(statement, **parameters)
        self._lose_answer()
        return rows

    def _lose_answer(self) -> None:
        if self.lost_commits:
            self.lost_commits -= 1
            raise CommitUnknown("the answer of the commit was lost")

    def _check(self) -> None:
        if self.is_unavailable:
            raise DatabaseUnavailable("unavailable")
