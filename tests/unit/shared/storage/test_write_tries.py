"""Repeats of a transaction, where the database asks for them, up to their limit."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from shared.storage.db.engine import (
    WRITE_TRIES,
    CommitUnknown,
    ConnectionLost,
    Database,
    DatabaseUnavailable,
    StatementCancelled,
    Transaction,
)
from shared.storage.db.errors import TransactionConflict
from shared.storage.db.statement import Statement


def _locked() -> TransactionConflict:
    return TransactionConflict("database is locked")


async def _nothing(_: Transaction) -> None:
    raise AssertionError("no try gets so far")


@pytest.mark.parametrize(
    "last",
    [pytest.param(_locked(), id="locked"), pytest.param(ConnectionLost("gone"), id="connection lost")],
)
async def test_a_last_try_that_fails_means_unavailable(
    last: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost at the last of many tries is no error of the code."""
    database = Database(cast("Any", None), cast("Any", None), "postgresql", random.Random(1))
    ends: list[Exception] = [*(_locked() for _ in range(WRITE_TRIES - 1)), last]

    async def fail(_work: object) -> None:
        raise ends.pop(0)

    async def no_pause(_seconds: float) -> None:
        return

    monkeypatch.setattr(database, "_write_once", fail)
    monkeypatch.setattr(asyncio, "sleep", no_pause)

    with pytest.raises(DatabaseUnavailable):
        await database.write(_nothing)

    assert ends == []


class _Scripted:
    """A pool whose statements end as the test says, and the connection that it lends."""

    def __init__(self, *ends: Exception | list[Any], needs_transactions: bool = False) -> None:
        self.needs_transactions = needs_transactions
        self.ends = list(ends)
        self.sent: list[str] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        yield self

    async def begin(self) -> None:
        self.sent.append("BEGIN")

    async def commit(self) -> None:
        self.sent.append("COMMIT")

    async def fetch(self, statement: Statement, _: object) -> list[Any]:
        self.sent.append(statement.on("postgresql"))
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


ONE = Statement("SELECT one")


def _on(pool: _Scripted) -> Database:
    return Database(cast("Any", pool), cast("Any", pool), "postgresql", random.Random(1))


async def test_one_statement_is_sent_alone_and_again_after_a_conflict() -> None:
    """Nothing of a conflict is stored; the next try is as good as the first."""
    pool = _Scripted(_locked(), ["row"])

    assert cast("list[str]", await _on(pool).write_rows(ONE)) == ["row"]
    assert pool.sent == ["SELECT one", "SELECT one"]


@pytest.mark.parametrize("loss", [ConnectionLost("gone"), DatabaseUnavailable("no answer in time")])
async def test_one_statement_without_an_answer_is_unknown_and_sent_once(loss: Exception) -> None:
    """It commits with its answer: a second try could do it twice."""
    pool = _Scripted(loss, ["row"])

    with pytest.raises(CommitUnknown):
        await _on(pool).write_rows(ONE)
    assert pool.sent == ["SELECT one"]


async def test_one_statement_that_the_server_cancelled_is_not_unknown() -> None:
    """The server answered: nothing of it is stored."""
    with pytest.raises(StatementCancelled):
        await _on(_Scripted(StatementCancelled("canceling statement"))).write_rows(ONE)


async def test_behind_a_pooler_one_statement_is_a_transaction() -> None:
    """Preparing and running it must not end on two connections."""
    pool = _Scripted(["row"], ["row"], needs_transactions=True)

    await _on(pool).write_rows(ONE)
    await _on(pool).read(lambda tx: tx.one(ONE))

    assert pool.sent == ["BEGIN", "SELECT one", "COMMIT", "BEGIN", "SELECT one"]
