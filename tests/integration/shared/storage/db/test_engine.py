"""Promises of a transaction on both databases: all or nothing, repeated on conflicts, durable."""

import asyncio
import random
import time

import pytest
from databases import Store
from payments import ADDRESS, change, queued, rows
from races.interleaving import open_transaction

from shared.storage.db import errors
from shared.storage.db.connections import alchemy, sqlite
from shared.storage.db.engine import Database, StatementError, Transaction, UniqueViolation
from shared.storage.db.errors import TransactionFailed
from shared.storage.db.opening import check_durability, open_database
from shared.storage.db.statement import Statement
from shared.storage.terminals import locks

NOW = Statement("SELECT {now} AS now")
COUNT = Statement("SELECT count(*) FROM terminal_locks")
ADD = Statement("INSERT INTO terminal_locks (address) VALUES (:address) RETURNING address")
ADD_MISSING = Statement(
    "INSERT INTO terminal_locks (address) VALUES (:address)"
    " ON CONFLICT (address) DO NOTHING RETURNING address"
)


class Stopped(Exception):
    """Raised in the middle of a transaction."""


async def test_an_exception_rolls_back_and_is_passed_on(database: Database) -> None:
    """Nothing of the transaction is left, and the next one works."""

    async def work(tx: Transaction) -> None:
        await locks.create(tx, ADDRESS)
        raise Stopped

    with pytest.raises(Stopped):
        await database.write(work)

    assert await rows(database, "SELECT address FROM terminal_locks") == []
    assert isinstance(await queued(database), str)


async def test_a_cancelled_transaction_leaves_nothing(database: Database) -> None:
    """A task that ends in the middle holds no lock and no connection."""
    inside = asyncio.Event()

    async def work(tx: Transaction) -> None:
        await locks.create(tx, ADDRESS)
        inside.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(database.write(work))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await rows(database, "SELECT address FROM terminal_locks") == []
    assert isinstance(await queued(database), str)


async def test_the_database_is_durable(database: Database) -> None:
    """A commit survives a crash: nothing to report."""
    assert await check_durability(database) is None


async def test_postgresql_without_synchronous_commit_is_reported(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """A setting of the database that would lose acknowledged payments is found at start."""
    (row,) = await rows(postgres_database, "SELECT current_database() AS name")
    await change(postgres_database, f'ALTER DATABASE "{row.name}" SET synchronous_commit = off')
    try:
        problem = await check_durability(second_postgres_database)
    finally:
        await change(postgres_database, f'ALTER DATABASE "{row.name}" RESET synchronous_commit')

    assert problem is not None
    assert "synchronous_commit" in problem


async def test_both_clocks_return_milliseconds_since_1970(database: Database) -> None:
    """Within a minute of the machine's own, and read anew by each statement."""

    async def look_twice(tx: Transaction) -> tuple[int, int]:
        first = await tx.one(NOW)
        await asyncio.sleep(0.01)
        second = await tx.one(NOW)
        assert first is not None
        assert second is not None
        return first.now, second.now

    first_ms, second_ms = await database.write(look_twice)

    assert abs(first_ms - time.time() * 1000) < 60_000
    assert second_ms - first_ms >= 9, "the time of the statement, not of the transaction"


async def test_a_transaction_on_a_busy_sqlite_file_is_repeated(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process locks the file longer than a connection waits for it."""
    monkeypatch.setattr(sqlite, "SQLITE_BUSY_SECONDS", 0.0)
    one, other = sqlite_store.open(), sqlite_store.open()
    tries = 0

    async def work(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        await locks.create(tx, ADDRESS)

    refused = asyncio.Event()
    original = errors.known_error

    def known_error(message: str, sqlstate: str, *, is_lost: bool) -> Exception:
        refused.set()
        return original(message, sqlstate, is_lost=is_lost)

    monkeypatch.setattr(alchemy, "known_error", known_error)
    try:
        async with open_transaction(one):
            writing = asyncio.create_task(other.write(work))
            await asyncio.wait_for(refused.wait(), 5)
            assert not writing.done()
        await asyncio.wait_for(writing, 5)
        assert tries == 1, "a refused BEGIN has run nothing of it"
        assert len(await rows(one, "SELECT address FROM terminal_locks")) == 1
    finally:
        await one.close()
        await other.close()


async def test_many_writers_of_two_processes_lose_no_update(
    database: Database, second_database: Database
) -> None:
    """None of 40 increments at once through two processes is lost."""
    await change(
        database, "INSERT INTO terminal_locks (address) VALUES (:terminal_address)", terminal_address=ADDRESS
    )

    await asyncio.gather(
        *(
            change(
                each,
                "UPDATE terminal_locks SET epoch = epoch + 1 WHERE address = :terminal_address",
                terminal_address=ADDRESS,
            )
            for _ in range(20)
            for each in (database, second_database)
        )
    )

    assert [row.epoch for row in await rows(database, "SELECT epoch FROM terminal_locks")] == [40]


async def test_reading_sees_what_was_committed_last(database: Database, second_database: Database) -> None:
    """A reader keeps no old snapshot from one statement to the next."""

    async def look_twice(tx: Transaction) -> tuple[int, int]:
        (before,) = await tx.all(COUNT)
        await change(
            second_database,
            "INSERT INTO terminal_locks (address) VALUES (:terminal_address)",
            terminal_address=ADDRESS,
        )
        (after,) = await tx.all(COUNT)
        return before[0], after[0]

    assert await database.read(look_twice) == (0, 1)


async def test_one_statement_is_a_transaction_of_its_own(
    database: Database, second_database: Database
) -> None:
    """It returns its row, and others see what it wrote."""
    (row,) = await database.write_rows(ADD, address=ADDRESS)

    assert row.address == ADDRESS
    assert len(await rows(second_database, "SELECT address FROM terminal_locks")) == 1
    assert not await database.write_rows(ADD_MISSING, address=ADDRESS)


async def test_one_statement_that_is_refused_stores_nothing(database: Database) -> None:
    """A key that is there already has an exception of its own, and the connection works on."""
    await database.write_rows(ADD, address=ADDRESS)

    with pytest.raises(UniqueViolation):
        await database.write_rows(ADD, address=ADDRESS)
    with pytest.raises(UniqueViolation):
        await change(database, "INSERT INTO terminal_locks (address) VALUES (:address)", address=ADDRESS)

    assert len(await rows(database, "SELECT address FROM terminal_locks")) == 1


async def test_one_transaction_that_ignores_an_error_is_not_taken_for_stored(
    postgres_database: Database,
) -> None:
    """PostgreSQL answers its COMMIT with a rollback."""

    async def work(tx: Transaction) -> None:
        await tx.run(ADD, address=ADDRESS)
        with pytest.raises(UniqueViolation):
            await tx.run(ADD, address=ADDRESS)

    with pytest.raises(TransactionFailed):
        await postgres_database.write(work)


async def test_statements_see_what_was_committed_before_each(postgres_store: Store) -> None:
    """Whatever isolation the database has by default, in a transaction and outside of one."""
    one = postgres_store.open()
    (row,) = await rows(one, "SELECT current_database() AS name")
    await change(one, f"ALTER DATABASE {row.name} SET default_transaction_isolation = serializable")
    other = postgres_store.open()
    level = Statement("SELECT current_setting('transaction_isolation') AS level")
    try:
        found = [
            await other.read(lambda tx: tx.one(level)),
            await other.write(lambda tx: tx.one(level)),
            *await other.write_rows(level),
        ]
    finally:
        await change(one, f"ALTER DATABASE {row.name} RESET ALL")
        await one.close()
        await other.close()

    assert [each.level for each in found if each is not None] == ["read committed"] * 3


async def test_a_row_has_its_columns_by_name_and_in_their_order(database: Database) -> None:
    """The same on both databases."""
    (row,) = await rows(database, "SELECT 1 AS first, 'b' AS second")

    assert (row.first, row.second, row[1]) == (1, "b", "b")
    assert list(row) == [1, "b"]
    assert dict(row._mapping) == {"first": 1, "second": "b"}
    with pytest.raises(AttributeError):
        _ = row.third


async def test_an_unknown_statement_is_an_error_of_the_code(database: Database) -> None:
    """It is neither 'unavailable' nor repeated."""
    with pytest.raises(StatementError):
        await change(database, "UPDATE no_such_table SET a = 1")


async def test_opening_connects_to_nothing() -> None:
    """Making the object is no I/O: the composition root decides when to connect."""
    database = open_database("postgresql+asyncpg://nobody@127.0.0.1:1/none", rng=random.Random(1))

    await database.close()

    assert database.dialect == "postgresql"
