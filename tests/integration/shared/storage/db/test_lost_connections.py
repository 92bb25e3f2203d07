"""Lost connections to PostgreSQL: what was stored is known, or known to be unknown."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from databases import Store
from payments import (
    WORKER,
    change,
    history,
    holder,
    in_session,
    queued,
    rows,
    submit,
    submit_by_statements,
    try_claim,
)
from races.interleaving import eventually, outcome_of, paused_before, paused_before_commit, running
from sqlalchemy.engine import make_url
from wire.cut_proxy import CutProxy, cut_proxy

from shared.payment.payment import Settlement
from shared.payment.states import Event, State
from shared.storage.db.connections.postgres import PostgresPool
from shared.storage.db.engine import (
    CommitUnknown,
    Database,
    DatabaseBusy,
    DatabaseUnavailable,
    Transaction,
)
from shared.storage.db.errors import LoginRefused
from shared.storage.db.opening import open_database
from shared.storage.db.statement import Statement
from shared.storage.payments import claims, snapshots
from shared.storage.payments.claims import Claimed, read_back
from shared.storage.payments.ending import lock
from shared.storage.payments.new_payment import Attached
from shared.storage.payments.settling import settle
from shared.storage.terminals.locks import ObservedCapabilities

DONE = Settlement(event=Event.ANSWERED_DONE)
ADD_WORKER = Statement("INSERT INTO workers (id, counter) VALUES (:worker, 0) RETURNING id")
KILL_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle in transaction'"
)


@pytest.fixture
async def proxy(postgres_store: Store) -> AsyncIterator[CutProxy]:
    url = make_url(postgres_store.url)
    async with cut_proxy(url.host or "127.0.0.1", url.port or 5432) as proxy:
        yield proxy


@pytest.fixture
async def behind_proxy(postgres_store: Store, proxy: CutProxy) -> AsyncIterator[Database]:
    url = make_url(postgres_store.url).set(host="127.0.0.1", port=proxy.port)
    database = open_database(url.render_as_string(hide_password=False), rng=random.Random(1))
    # Its first connection sends a COMMIT of its own.
    await rows(database, "SELECT 1 AS one")
    yield database
    await database.close()


async def test_a_claim_whose_commits_answer_is_lost_is_read_back_by_its_token(
    postgres_database: Database, behind_proxy: Database, proxy: CutProxy
) -> None:
    """The call was carried out: unknown to the run, then found as its own, and by no other token."""
    payment_id = await queued(postgres_database)
    proxy.cut_next(b"token-a")

    with pytest.raises(CommitUnknown):
        await try_claim(behind_proxy, payment_id, "token-a")

    assert proxy.cut.is_set()
    mine = await read_back(behind_proxy, payment_id, "token-a")
    assert isinstance(mine, Claimed)
    assert (mine.payment.state, mine.grant.token) == (State.IN_SESSION, "token-a")
    assert await read_back(behind_proxy, payment_id, "token-b") is None


async def test_one_statement_whose_answer_is_lost_is_unknown(
    postgres_database: Database, behind_proxy: Database, proxy: CutProxy
) -> None:
    """It commits with its answer: it is stored here, and not repeated."""
    assert await behind_proxy.write_rows(ADD_WORKER, worker="worker-1")
    proxy.cut_next(b"worker-2")

    with pytest.raises(CommitUnknown):
        await behind_proxy.write_rows(ADD_WORKER, worker="worker-2")

    stored = await rows(postgres_database, "SELECT id FROM workers ORDER BY id")
    assert [row.id for row in stored] == ["worker-1", "worker-2"]


async def test_one_statement_is_no_outage_of_the_next_after_a_restart_of_the_server(
    postgres_database: Database, behind_proxy: Database
) -> None:
    """A connection that ended before anything was sent is replaced."""
    await behind_proxy.write_rows(ADD_WORKER, worker="worker-1")
    await rows(
        postgres_database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    pool = behind_proxy._writer
    assert isinstance(pool, PostgresPool)
    await eventually(_ended(pool))

    assert await behind_proxy.write_rows(ADD_WORKER, worker="worker-2")


def _ended(pool: PostgresPool) -> Callable[[], Awaitable[object]]:
    async def look() -> object:
        return all(driver.is_closed() for driver in pool._free)

    return look


async def test_a_claim_that_was_not_committed_is_not_read_back(
    postgres_database: Database, behind_proxy: Database
) -> None:
    """The connection ends just before the COMMIT: unknown too, and read back as nothing."""
    payment_id = await queued(postgres_database)
    with paused_before_commit(behind_proxy) as pause:
        async with running(try_claim(behind_proxy, payment_id, "token-a")) as claiming:
            await pause.reached()
            await change(postgres_database, KILL_OTHERS)
            pause.go()
            with pytest.raises(CommitUnknown):
                await outcome_of(claiming)

    assert await read_back(behind_proxy, payment_id, "token-a") is None
    assert await snapshots.states(postgres_database, [payment_id]) == {payment_id: State.QUEUED}
    assert await holder(postgres_database) is None


async def test_a_result_whose_commits_answer_is_lost_is_stored_once(
    postgres_database: Database, behind_proxy: Database, proxy: CutProxy
) -> None:
    """The run stores it again and finds it there."""
    claimed = await in_session(postgres_database)
    proxy.cut_next(claimed.grant.token.encode())
    with pytest.raises(CommitUnknown):
        await settle(behind_proxy, claimed.grant, claimed.payment, DONE, ObservedCapabilities())

    again = await settle(behind_proxy, claimed.grant, claimed.payment, DONE, ObservedCapabilities())

    assert again.state is State.SUCCEEDED
    assert [event for event, _ in await history(postgres_database, again.id)][2:] == ["answered_done"]
    assert await rows(postgres_database, "SELECT id FROM evidence") == []


async def test_an_order_whose_commits_answer_is_lost_is_attached_to(
    postgres_database: Database, behind_proxy: Database, proxy: CutProxy
) -> None:
    """The client's next request finds the payment."""
    proxy.cut_next(b"lost order")
    with pytest.raises(CommitUnknown):
        await submit(behind_proxy, order_id="lost order")

    assert isinstance(await submit(behind_proxy, order_id="lost order"), Attached)
    assert len(await rows(postgres_database, "SELECT id FROM payments")) == 1


async def test_a_transaction_whose_connection_ends_before_the_commit_is_run_anew_on_another(
    postgres_database: Database, behind_proxy: Database
) -> None:
    """Nothing of it was stored, so it is repeated; a second loss would be 'unavailable', not 'unknown'."""
    payment_id = await queued(postgres_database)
    with paused_before(behind_proxy, claims._CLAIM) as pause:
        by_statements = claims._claim_by_statements(
            behind_proxy, payment_id, worker=WORKER, token="token-a", lease_seconds=335
        )
        async with running(by_statements) as claiming:
            await pause.reached()
            killed = await change(postgres_database, KILL_OTHERS)
            pause.go()
            assert isinstance(await outcome_of(claiming), Claimed)

    assert killed == 1
    assert await holder(postgres_database) == payment_id
    assert [event for event, _ in await history(postgres_database, payment_id)] == ["accepted", "claimed"]


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_missing_server_is_unavailable(postgres_store: Store) -> None:
    """Reading and writing raise DatabaseUnavailable at once."""
    url = make_url(postgres_store.url).set(host="127.0.0.1", port=_closed_port())
    database = open_database(url.render_as_string(hide_password=False))

    with pytest.raises(DatabaseUnavailable):
        await rows(database, "SELECT 1 AS one")
    with pytest.raises(DatabaseUnavailable):
        await change(database, "UPDATE terminal_locks SET epoch = 0")
    await database.close()


@pytest.mark.parametrize(
    "refusal",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        TimeoutError(),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
async def test_a_server_that_refuses_connections_is_unavailable(
    postgres_store: Store, refusal: BaseException
) -> None:
    """While it starts, and while it has no connection left."""

    async def refuse() -> None:
        raise refusal

    database = open_database(postgres_store.url, async_creator=refuse)

    with pytest.raises(DatabaseUnavailable):
        await rows(database, "SELECT 1 AS one")
    with pytest.raises(DatabaseUnavailable):
        await change(database, "UPDATE terminal_locks SET epoch = 0")
    await database.close()


async def test_a_database_that_has_no_connection_left_is_unavailable(
    postgres_store: Store, postgres_database: Database
) -> None:
    """By a real refusal of the server."""
    await change(postgres_database, "UPDATE terminal_locks SET epoch = 0")
    (row,) = await rows(postgres_database, "SELECT current_database() AS name")
    limited = f"role_{row.name}"
    await change(postgres_database, f"CREATE ROLE {limited} LOGIN PASSWORD 'limited' CONNECTION LIMIT 0")
    url = make_url(postgres_store.url).set(username=limited, password="limited")
    database = open_database(url.render_as_string(hide_password=False))
    try:
        with pytest.raises(DatabaseUnavailable):
            await rows(database, "SELECT 1 AS one")
    finally:
        await database.close()
        await change(postgres_database, f"DROP ROLE {limited}")


async def test_a_wrong_password_or_name_is_not_an_outage(postgres_store: Store) -> None:
    """An error that waiting cannot fix propagates."""
    url = make_url(postgres_store.url).set(database="no_such_database")
    database = open_database(url.render_as_string(hide_password=False))

    with pytest.raises(LoginRefused, match="does not exist"):
        await rows(database, "SELECT 1 AS one")
    await database.close()


async def test_a_full_pool_is_unavailable_and_not_a_hang(postgres_store: Store) -> None:
    """A transaction that finds no connection within its time-out raises DatabaseBusy."""
    database = open_database(postgres_store.url, pool_size=1)
    assert isinstance(database._writer, PostgresPool)
    database._writer.wait_seconds = 0.05
    async with database._writer.connect():
        with pytest.raises(DatabaseBusy):
            await rows(database, "SELECT 1 AS one")
    await database.close()


async def test_a_deadlock_is_tried_again(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """Of two transactions that lock two rows in opposite order, one is repeated; both succeed."""
    await queued(postgres_database, order_id="a")
    await queued(postgres_database, order_id="b")
    ids = [row.id for row in await rows(postgres_database, "SELECT id FROM payments ORDER BY id")]
    both_hold = asyncio.Barrier(2)
    tries = []

    async def cross(database: Database, order: list[str]) -> None:
        async def work(tx: Transaction) -> None:
            tries.append(order)
            await lock(tx, order[0])
            if len(tries) <= 2:
                await both_hold.wait()
            await lock(tx, order[1])

        await database.write(work)

    await asyncio.wait_for(
        asyncio.gather(cross(postgres_database, ids), cross(second_postgres_database, ids[::-1])), 10
    )

    assert len(tries) == 3


async def test_after_a_restart_of_the_server_no_transaction_fails_on_an_old_connection(
    postgres_store: Store, postgres_database: Database
) -> None:
    """Every connection of the pool has ended, and the first read and the first write go through."""
    database = postgres_store.open()
    kill_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    try:
        for work in (
            lambda: snapshots.states(database, []),
            lambda: submit_by_statements(database, order_id="after-the-restart"),
        ):
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(snapshots.states(database, []))
            await rows(postgres_database, kill_all)

            await work()
    finally:
        await database.close()
