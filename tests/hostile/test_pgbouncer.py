"""PgBouncer in transaction mode: it works with its one setting, and without it no process starts."""

import asyncio
from collections.abc import Iterator

import pytest
from databases import Store
from orders import order_for
from payments import change, rows
from system import system_on
from wire.shop_terminal import shop_terminal

from sandbox.servers.private.pgbouncer import pooled
from shared.settings.load import load_settings
from shared.settings.settings import SettingsError
from shared.storage.db.engine import Database
from shared.storage.db.opening import opened_database

IDLE_LIMIT = "idle_in_transaction_session_timeout"


@pytest.fixture(params=[""])
def pooled_url(request: pytest.FixtureRequest, postgres_store: Store) -> Iterator[str]:
    """Return the database by way of a pooler; the parameter has further settings of it."""
    with pooled(postgres_store.url, options=request.param) as url:
        yield url


async def _limit_idle_transactions(database: Database, limit: str) -> None:
    """Set it for the database, as an operator does; connections from before do not know of it."""
    (here,) = await rows(database, "SELECT current_database() AS name")
    await change(database, f"ALTER DATABASE {here.name} SET {IDLE_LIMIT} = '{limit}'")
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await rows(database, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


async def test_payments_at_once_are_paid_by_way_of_the_pooler(
    postgres_database: Database, pooled_url: str, amqp_url: str, amqp_prefix: str
) -> None:
    """Four server connections change hands between any two transactions of all processes."""
    async with system_on(pooled_url, amqp_url, amqp_prefix, database_pooler="transaction") as system:
        pos = await system.pos()
        await system.worker()
        async with shop_terminal() as one, shop_terminal() as other:
            orders = [order_for(host) for host in (one.host, other.host) for _ in range(6)]
            answers = await asyncio.gather(*(pos.send(order) for order in orders for _ in range(3)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["payment"]["id"] for answer in answers}) == len(orders)


@pytest.mark.parametrize(
    "pooled_url", ["", f"ignore_startup_parameters = {IDLE_LIMIT}"], indirect=True, ids=["refuses", "ignores"]
)
async def test_without_the_setting_the_start_ends_with_mode_and_remedy(pooled_url: str) -> None:
    """With and without the pooler's list of parameters that it ignores."""
    remedy = r"transaction mode(.|\n)*CLOUD_TERMINAL_DATABASE_POOLER=transaction"
    with pytest.raises(SettingsError, match=remedy):
        async with opened_database(load_settings(database_url=pooled_url)):
            pytest.fail("it began")


async def test_with_the_setting_idle_transactions_have_to_be_limited(
    postgres_database: Database, pooled_url: str
) -> None:
    """A frozen process must not keep its locks: a session's own setting would be lost in the pool."""
    settings = load_settings(database_url=pooled_url, database_pooler="transaction")
    with pytest.raises(SettingsError, match=IDLE_LIMIT):
        async with opened_database(settings):
            pytest.fail("it began")

    await _limit_idle_transactions(postgres_database, "10s")
    try:
        async with opened_database(settings) as database:
            assert await rows(database, "SELECT 1 AS one")
    finally:
        await _limit_idle_transactions(postgres_database, "0")
