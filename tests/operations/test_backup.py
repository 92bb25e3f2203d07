"""Backups and restores as the handbook prints them, on a PostgreSQL with payments in it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from eventually import eventually
from loopback import terminal_host
from payments import MERCHANT, WORKER, accepted, change, in_session, queued, submit
from running.operator_shell import OperatorShell, page
from running.printed_commands import Step
from running.private_servers import private_postgres
from stored.merchants import create_merchant
from system import delete_queues, system_on

from sandbox.servers.private.children import free_ports, unprivileged_account
from sandbox.terminal.server.server import VirtualTerminal
from shared.storage.db.accounts import grant_accounts
from shared.storage.db.engine import Database
from shared.storage.db.opening import open_database
from shared.storage.db.schema.migrate import migrate
from shared.storage.db.statement import Statement

ARCHIVE = "/var/backups/cloud-terminal/wal"
NAME = "cloud_terminal"
#: The test's server has these from its command line, not from the postgresql.conf that a base backup copies.
AS_THE_FIRST = "-c max_connections=300 -c listen_addresses=127.0.0.1 -c unix_socket_directories="
DUMP, BASE, RESTORED, TO_A_MOMENT, MIGRATED, MARKED, OPEN = page("backup.md")


@pytest.fixture
def archive(folder: Path) -> Path:
    """Return the folder of the write-ahead log; with its own, it belongs to the server's account."""
    made = folder / "wal"
    made.mkdir()
    account = unprivileged_account()
    for path in (folder, made):
        if account is not None:
            os.chown(path, account.user_id, account.group_id)
    return made


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        await database.close()


async def pay(database: Database, order_id: str) -> str:
    return accepted(await submit(database, order_id=order_id, terminal_address=f"127.0.0.9:{order_id}"))


async def orders(url: str) -> set[str]:
    async with opened(url) as database:
        rows = await database.read(lambda tx: tx.all(Statement("SELECT order_id FROM payments")))
    return {str(row.order_id) for row in rows}


async def test_a_backup_is_restored_as_the_handbook_says(folder: Path, archive: Path) -> None:
    """A dump has what was there at its start; the log leads to any later moment, and not beyond it."""
    settings = {
        "archive_mode": "on",
        "archive_command": f"test ! -f {archive}/%f && cp %p {archive}/%f",
        "wal_level": "replica",
    }
    async with private_postgres(folder / "postgres", settings=settings) as server:
        shell = OperatorShell(folder, server.url, NAME, amqp_url="amqp://127.0.0.1/")
        connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
        await connection.execute(f"CREATE DATABASE {NAME}")
        await migrate(shell.url(NAME))
        async with opened(shell.url(NAME)) as database:
            await create_merchant(database, MERCHANT, "Shop", ["127.0.0.0/8"])
            await pay(database, "1001")
            tables = shell.type(DUMP)
            shell.type(BASE)
            await pay(database, "1002")
            moment = await connection.fetchval("SELECT now()::text")
            await pay(database, "1003")
        await archive_all(connection)

        shell.type(RESTORED)
        [port] = free_ports(1)
        replaced = {ARCHIVE: str(archive), "MOMENT": moment, "RESTORED_PORT": f"{port} {AS_THE_FIRST}"}
        shell.type(TO_A_MOMENT, replaced)
        try:
            at_the_moment = await orders(shell.url(NAME).replace(f":{server_port(server.url)}/", f":{port}/"))
        finally:
            shell.type(Step("pg_ctl --pgdata=restored --mode=fast --wait stop", "server stopped"))
        shell.database = f"{NAME}_restored"
        shell.type(MIGRATED)
        shell.type(MARKED, {"MOMENT": moment})
        listed = shell.type(OPEN)
        await connection.close()

        assert int(tables) > 10
        assert await orders(shell.url(NAME)) == {"1001", "1002", "1003"}
        assert await orders(shell.url(shell.database)) == {"1001"}
        assert at_the_moment == {"1001", "1002"}
        assert "|1001|127.0.0.9:1001|1000|in_doubt\n" in listed, "it may have been paid since"


async def test_a_restored_database_sends_no_debit(
    folder: Path, archive: Path, amqp_url: str, amqp_prefix: str
) -> None:
    """A payment queued at the dump expires; one in session is in doubt until the terminal proves it."""
    async with (
        private_postgres(folder / "postgres") as server,
        VirtualTerminal(terminal_host()) as terminal,
        VirtualTerminal(terminal_host()) as other,
    ):
        shell = OperatorShell(folder, server.url, "postgres")
        await migrate(server.url)
        async with opened(server.url) as database:
            await create_merchant(database, MERCHANT, "Shop", ["127.0.0.0/8"])
            await change(database, "INSERT INTO workers (id, counter) VALUES (:id, 7)", id=WORKER)
            await queued(database, **at(terminal, "queued"))
            await in_session(database, **at(other, "in-session"))
            shell.type(DUMP)
        shell.type(RESTORED)
        restored = shell.url(f"{NAME}_restored")
        async with opened(restored) as database:
            await grant_accounts(database, {})
            # The dump is older than a payment may wait.
            await change(database, "UPDATE payments SET deadline_at = created_at - 1 WHERE state = 'queued'")

        async with system_on(restored, amqp_url, amqp_prefix) as system:
            await system.worker()

            async def states() -> dict[str, str] | None:
                found = {row.order_id: str(row.state) for row in await system.payments()}
                return None if {"queued", "in_session"} & set(found.values()) else found

            found = await eventually(states, within_seconds=60)
        await delete_queues(amqp_url, amqp_prefix)

    assert found == {"queued": "expired", "in-session": "in_doubt"}
    records = [*terminal.records, *other.records]
    assert [one for one in records if one.charged or one.operation == "debit"] == []


def at(terminal: VirtualTerminal, order_id: str) -> dict[str, Any]:
    """Return the changes of a payment on this terminal."""
    return {
        "order_id": order_id,
        "host": terminal.host,
        "port": terminal.port,
        "terminal_address": f"{terminal.host}:{terminal.port}",
    }


async def archive_all(connection: "asyncpg.Connection[Any]") -> None:
    """Wait until the log up to now is in the archive."""
    wanted = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")

    async def is_archived() -> bool:
        archived = await connection.fetchval("SELECT last_archived_wal FROM pg_stat_archiver")
        return str(archived) >= str(wanted)

    await eventually(is_archived, within_seconds=60)


def server_port(url: str) -> str:
    return url.rpartition(":")[2].partition("/")[0]
