"""Errors of asyncpg as the product's, and a pool whose connections end in every way."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import asyncpg
import pytest

from shared.storage.db.connections.postgres import PostgresPool
from shared.storage.db.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseUnavailable,
    StatementCancelled,
    StatementError,
    TransactionConflict,
    TransactionFailed,
    UniqueViolation,
)
from shared.storage.db.statement import Statement

ASK = Statement("SELECT :word")


class Driver:
    """Stand-in for asyncpg's connection: its answers are the test's."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.fails: list[Exception] = []
        self.hangs_at = ""
        self.hanging = asyncio.Event()
        self.commit_tag = "COMMIT"
        self.is_over = False
        self.in_transaction = False

    def is_closed(self) -> bool:
        return self.is_over

    def is_in_transaction(self) -> bool:
        return self.in_transaction

    def terminate(self) -> None:
        self.is_over = True

    async def close(self, **_: float) -> None:
        self.is_over = True

    async def fetch(self, words: str, *parameters: object) -> Sequence[object]:
        await self._send(words)
        return [parameters]

    async def execute(self, words: str, *_: object) -> str:
        await self._send(words)
        if words.startswith("BEGIN"):
            self.in_transaction = True
        if words in {"COMMIT;", "ROLLBACK;"}:
            self.in_transaction = False
        return self.commit_tag if words == "COMMIT;" else words.partition(" ")[0]

    async def _send(self, words: str) -> None:
        self.sent.append(words)
        if self.hangs_at and words.startswith(self.hangs_at):
            self.hanging.set()
            await asyncio.Event().wait()
        if self.fails:
            raise self.fails.pop(0)


class Opened:
    """The connections that a pool opened."""

    def __init__(self) -> None:
        self.drivers: list[Driver] = []
        #: Of the next one.
        self.fails: list[Exception] = []
        self.hangs_at = ""
        self.hanging = asyncio.Event()

    async def __call__(self) -> Any:
        driver = Driver()
        driver.fails, driver.hangs_at, driver.hanging = [*self.fails], self.hangs_at, self.hanging
        self.drivers.append(driver)
        return driver


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
def pool(opened: Opened) -> PostgresPool:
    return PostgresPool(cast("Any", opened), 1, needs_transactions=False)


async def ask(pool: PostgresPool) -> None:
    async with pool.connect() as connection:
        await connection.fetch(ASK, {"word": "secret"})


def refusal(sqlstate: str, message: str = "no", severity: str = "ERROR") -> asyncpg.PostgresError:
    error = asyncpg.PostgresError.new(
        {"C": sqlstate, "M": message, "V": severity, "D": "Key (secret)=(4711)"}
    )
    assert isinstance(error, asyncpg.PostgresError)
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(refusal("57014"), StatementCancelled, id="cancelled"),
        pytest.param(refusal("55P03"), StatementCancelled, id="lock timeout"),
        pytest.param(refusal("40001"), TransactionConflict, id="serialization"),
        pytest.param(refusal("40P01"), TransactionConflict, id="deadlock"),
        pytest.param(
            asyncpg.InvalidCachedStatementError("plan"), TransactionConflict, id="after a migration"
        ),
        pytest.param(refusal("23505"), UniqueViolation, id="unique"),
        pytest.param(refusal("23503"), StatementError, id="foreign key"),
        pytest.param(refusal("42P01"), StatementError, id="an error of the code"),
        pytest.param(refusal("53100"), DatabaseUnavailable, id="disk full"),
        pytest.param(refusal("25006"), DatabaseUnavailable, id="read-only"),
        pytest.param(refusal("57P01", severity="FATAL"), ConnectionLost, id="shutdown"),
        pytest.param(refusal("25P03", severity="FATAL"), ConnectionLost, id="idle for too long"),
        pytest.param(asyncpg.ConnectionDoesNotExistError("closed"), ConnectionLost, id="cut"),
        pytest.param(TimeoutError(), DatabaseUnavailable, id="no answer"),
        pytest.param(asyncpg.InterfaceError("wrong use"), StatementError, id="wrong use of the driver"),
    ],
)
async def test_an_error_is_known_by_its_sqlstate(
    pool: PostgresPool, opened: Opened, error: Exception, expected: type[Exception]
) -> None:
    """Each class of them is an exception of its own."""
    opened.fails = [error]
    with pytest.raises(expected) as raised:
        await ask(pool)

    assert type(raised.value) is expected
    assert "4711" not in str(raised.value)
    assert raised.value.__suppress_context__, "the driver's own text has details of clients' data"


async def test_a_wrong_parameters_value_is_in_no_error(pool: PostgresPool, opened: Opened) -> None:
    """The driver's text quotes it."""
    opened.fails = [asyncpg.DataError("invalid input for query argument $1: 'secret'")]
    with pytest.raises(StatementError) as raised:
        await ask(pool)

    assert "$1" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_a_commit_that_was_answered_with_a_rollback_is_none(pool: PostgresPool, opened: Opened) -> None:
    """The server says so without an error, where the code ignored an earlier one."""
    async with pool.connect() as connection:
        opened.drivers[0].commit_tag = "ROLLBACK"
        await connection.begin()
        with pytest.raises(TransactionFailed):
            await connection.commit()


async def test_a_connection_goes_back_without_a_round_trip(pool: PostgresPool, opened: Opened) -> None:
    """Nothing but the transaction's own statements is sent."""
    for _ in range(2):
        async with pool.connect() as connection:
            await connection.begin()
            await connection.commit()

    [driver] = opened.drivers
    assert driver.sent == ["BEGIN ISOLATION LEVEL READ COMMITTED;", "COMMIT;"] * 2


async def test_an_open_transaction_is_rolled_back_before_the_next(pool: PostgresPool, opened: Opened) -> None:
    """Also where the block ends well."""
    async with pool.connect() as connection:
        await connection.begin()
    async with pool.connect() as connection:
        await connection.fetch(ASK, {"word": "a"})

    [driver] = opened.drivers
    assert driver.sent[1:] == ["ROLLBACK;", "SELECT $1"]


async def test_a_cancelled_caller_leaves_a_clean_connection(pool: PostgresPool, opened: Opened) -> None:
    """Its statement may still run: the connection is rolled back before anybody has it."""

    opened.hangs_at = "SELECT"
    task = asyncio.create_task(ask(pool))
    await opened.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert opened.drivers[0].sent == ["SELECT $1", "ROLLBACK;"]
    async with pool.connect():
        assert len(opened.drivers) == 1


async def test_a_connection_that_cannot_be_cleaned_is_closed(
    pool: PostgresPool, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers no ROLLBACK keeps no place of the pool."""
    monkeypatch.setattr("shared.storage.db.connections.postgres.CLEANING_SECONDS", 0.01)
    async with pool.connect() as connection:
        await connection.begin()
        opened.drivers[0].hangs_at = "ROLLBACK"
    async with pool.connect():
        pass

    first, second = opened.drivers
    assert first.is_over
    assert not second.is_over


async def test_a_closed_connection_is_replaced(pool: PostgresPool, opened: Opened) -> None:
    """One that ended while nobody used it is given to nobody."""
    async with pool.connect():
        pass
    opened.drivers[0].is_over = True
    async with pool.connect():
        pass

    assert len(opened.drivers) == 2


async def test_a_lost_connection_takes_the_free_ones_with_it(opened: Opened) -> None:
    """After a restart of the server the next try must not find another dead one."""
    pool = PostgresPool(cast("Any", opened), 2, needs_transactions=False)
    async with pool.connect(), pool.connect():
        pass
    for driver in opened.drivers:
        driver.fails = [asyncpg.ConnectionDoesNotExistError("closed")]
    with pytest.raises(ConnectionLost):
        await ask(pool)
    await ask(pool)


async def test_whoever_finds_no_free_connection_in_time_is_told(pool: PostgresPool) -> None:
    """The place of one who gave up is no one's: the next gets the connection."""
    pool.wait_seconds = 0.01
    async with pool.connect():
        with pytest.raises(DatabaseBusy):
            async with pool.connect():
                raise AssertionError
    async with pool.connect():
        pass


async def test_a_failed_opening_takes_no_place() -> None:
    """The pool of one connection works on once the server answers."""
    answers: list[Any] = [OSError("refused"), Driver()]

    async def open_driver() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = PostgresPool(open_driver, 1, needs_transactions=False)
    with pytest.raises(DatabaseUnavailable):
        async with pool.connect():
            raise AssertionError
    async with pool.connect():
        pass


async def test_a_connection_that_comes_back_after_the_end_is_closed(
    pool: PostgresPool, opened: Opened
) -> None:
    """The pool was closed meanwhile."""
    async with pool.connect():
        await pool.close()

    assert opened.drivers[0].is_over
