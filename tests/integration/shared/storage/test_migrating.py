"""Migrations from nothing to this release, once, twice and by two processes at once; on both databases."""

import asyncio

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from payments import change, rows
from sqlalchemy import Connection

from shared.payment.order_guard import operation_key
from shared.payment.payment import Operation
from shared.storage.db.engine import Database, open_database
from shared.storage.db.migrate import SchemaTooOld, _config, check_schema, migrate, newest_version
from shared.storage.db.schema import METADATA

#: The schemas that some migrations found.
BEFORE_OPERATION_KEYS_THAT_CANNOT_COLLIDE = "0008"


async def test_an_empty_database_is_migrated_once(empty_url: str) -> None:
    """Before it a process refuses with the command to type; a second time changes nothing."""
    database = open_database(empty_url)
    try:
        with pytest.raises(SchemaTooOld, match="run `cloud-terminal migrate`"):
            await check_schema(database)

        assert await migrate(database) == (None, newest_version())
        assert await migrate(database) == (newest_version(), newest_version())
        await check_schema(database)
    finally:
        await database.close()


async def test_two_processes_that_migrate_at_once_do_it_once(empty_url: str) -> None:
    """One waits for the other and finds the work done."""
    databases = [open_database(empty_url) for _ in range(2)]
    try:
        versions = await asyncio.gather(*(migrate(database) for database in databases))
    finally:
        for database in databases:
            await database.close()

    assert sorted(versions, key=str) == [
        (newest_version(), newest_version()),
        (None, newest_version()),
    ]


async def test_a_newer_schema_is_accepted(empty_url: str) -> None:
    """The previous release goes on while the next one's migration has run."""
    database = open_database(empty_url)
    try:
        await migrate(database)
        await change(database, "UPDATE alembic_version SET version_num = '9999'")

        await check_schema(database)
    finally:
        await database.close()


async def migrate_to(database: Database, version: str) -> None:
    """Bring an empty database to an earlier release's schema."""

    def upgrade(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)

    await database.write(lambda tx: tx.connection.run_sync(upgrade))


async def test_merchants_without_networks_still_reach_public_terminals(empty_url: str) -> None:
    """What no network meant is said in so many words; named networks stay as they are."""
    database = open_database(empty_url)
    try:
        await migrate_to(database, "0005")
        for merchant_id, networks in (("any", "[]"), ("own", '["10.0.0.0/8"]')):
            await change(
                database,
                "INSERT INTO merchants (id, name, networks, created_at) VALUES (:id, '', :networks, 0)",
                id=merchant_id,
                networks=networks,
            )

        await migrate(database)

        found = await rows(database, "SELECT id, networks FROM merchants ORDER BY id")
        assert [(row.id, row.networks) for row in found] == [("any", '["public"]'), ("own", '["10.0.0.0/8"]')]
    finally:
        await database.close()


async def test_keys_that_were_closed_before_are_marked(empty_url: str) -> None:
    """No attempt of a key with a contradicted one is safe to retry, of whichever release; nor is a debit
    whose reversal is contradicted."""
    database = open_database(empty_url)
    try:
        await migrate_to(database, "0004")
        await change(
            database, "INSERT INTO merchants (id, name, networks, created_at) VALUES ('m', '', '', 0)"
        )
        for payment_id, key, contradicted, operation, debit_id in (
            ("p1", "a", True, "debit", None),
            ("p2", "a", False, "debit", None),
            ("p3", "b", False, "debit", None),
            ("p4", "c", False, "debit", None),
            ("p5", "c-reversal", True, "reversal", "p4"),
            ("p6", "b-credit", True, "credit", "p3"),
        ):
            await change(
                database,
                "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, debit_id, state,"
                " contradicted, amount_cents, currency, protocol, force_authorization, host, port,"
                " register_number, profile, request, created_at, deadline_at, published_at)"
                " VALUES (:id, 'm', 'o', :operation, :key, :debit_id, 'refused', :contradicted, 1, 'EUR',"
                " 'ConcertV3.2', false, 'h', 1, '01', '{{}}', '{{}}', 0, 0, 0)",
                id=payment_id,
                key=key,
                contradicted=contradicted,
                operation=operation,
                debit_id=debit_id,
            )

        await migrate(database)

        found = await rows(database, "SELECT id, key_closed FROM payments ORDER BY id")
        assert [row.id for row in found if row.key_closed] == ["p1", "p2", "p4", "p5", "p6"]
    finally:
        await database.close()


async def test_keys_of_operations_are_written_as_this_release_writes_them(empty_url: str) -> None:
    """Stored reversals and credits still keep their repetition out; a key may look like another's new one."""
    named = [
        ("p1", Operation.DEBIT, "debit:o:1", "o:1", None, None),
        ("p2", Operation.REVERSAL, "reversal:o:1:p1", "o:1", "p1", None),
        ("p3", Operation.REVERSAL, "reversal::o:", ":o", None, None),
        ("p4", Operation.REVERSAL, "reversal:o::", "o:", None, None),
        ("p5", Operation.CREDIT, "credit:o:1:p1:7:k:1", "o:1", "p1", "k:1"),
        ("p6", Operation.CREDIT, "credit:\u00e9::7:", "\u00e9", None, None),
    ]
    database = open_database(empty_url)
    try:
        await migrate_to(database, BEFORE_OPERATION_KEYS_THAT_CANNOT_COLLIDE)
        await change(
            database, "INSERT INTO merchants (id, name, networks, created_at) VALUES ('m', '', '', 0)"
        )
        for payment_id, operation, key, order_id, debit_id, idempotency_key in named:
            await change(
                database,
                "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key,"
                " debit_id, idempotency_key, state, contradicted, amount_cents, currency, protocol,"
                " force_authorization, host, port, register_number, profile, request, created_at,"
                " deadline_at, published_at) VALUES (:id, 'm', :order_id, :operation, :key, :guard_key,"
                " :debit_id, :idempotency_key, 'queued', false, 7, 'EUR', 'ConcertV3.2', false, 'h', 1, '01',"
                " '{{}}', '{{}}', 0, 0, 0)",
                id=payment_id,
                order_id=order_id,
                operation=operation.value,
                key=key,
                guard_key=None if payment_id == "p5" else key,
                debit_id=debit_id,
                idempotency_key=idempotency_key,
            )

        await migrate(database)

        found = {row.id: row for row in await rows(database, "SELECT * FROM payments")}
        for payment_id, operation, _, order_id, debit_id, idempotency_key in named:
            key = operation_key(
                operation, order_id, debit_id=debit_id, amount_cents=7, idempotency_key=idempotency_key
            )
            assert found[payment_id].operation_key == key
            assert found[payment_id].guard_key == (None if payment_id == "p5" else key)
    finally:
        await database.close()


async def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    """Nothing that the code counts on is missing from the migrated schema, and nothing is left over."""

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), METADATA)

    assert await database.read(lambda tx: tx.connection.run_sync(differences)) == []
