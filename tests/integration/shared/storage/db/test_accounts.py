"""Grants of the PostgreSQL accounts; the tests of whole systems show that they suffice."""

import pytest
from databases import ACCOUNT_PASSWORD, Store, as_account
from payments import change

from shared.storage.db.accounts import GRANTS, UnfitPassword, grant_accounts
from shared.storage.db.engine import StatementError
from shared.storage.db.opening import open_database
from shared.storage.db.schema.migrate import METADATA

_TABLES = {table.name for table in METADATA.sorted_tables}
#: One that is no generated column.
_COLUMNS = {table.name: table.columns[0].name for table in METADATA.sorted_tables}
_INSUFFICIENT_PRIVILEGE = "42501"
_TRIES = {
    "SELECT": "SELECT 1 FROM {table} LIMIT 1",
    "DELETE": "DELETE FROM {table} WHERE false",
    "INSERT": "INSERT INTO {table} ({column}) SELECT {column} FROM {table} WHERE false",
}


async def is_allowed(url: str, statement: str) -> bool:
    database = open_database(url)
    try:
        await change(database, statement)
    except StatementError as error:
        if error.sqlstate != _INSUFFICIENT_PRIVILEGE:
            raise
        return False
    else:
        return True
    finally:
        await database.close()


@pytest.mark.parametrize("account", GRANTS)
async def test_an_account_may_do_what_it_was_granted_and_nothing_else(
    postgres_store: Store, account: str
) -> None:
    """Each verb on each table."""
    url = as_account(postgres_store.url, account)

    allowed = {
        (table, verb)
        for table in _TABLES
        for verb, statement in _TRIES.items()
        if await is_allowed(url, statement.format(table=table, column=_COLUMNS[table]))
    }

    assert allowed == {
        (table, verb) for table, verbs in GRANTS[account].items() for verb in _TRIES if verb in verbs
    }
    assert not await is_allowed(url, "CREATE TABLE mine (a int)")
    assert not await is_allowed(url, "DROP TABLE payments")
    may_change = account == "cloud_terminal_api"
    assert await is_allowed(url, "UPDATE merchants SET networks = networks") == may_change


@pytest.mark.parametrize("account", GRANTS)
async def test_only_terminal_workers_purge_and_only_what_is_old(postgres_store: Store, account: str) -> None:
    """By a function with the owner's rights, which checks the age itself: nobody may delete a history."""
    url = as_account(postgres_store.url, account)
    call = "SELECT * FROM ct_purge_v1(ARRAY['pay_1'], {before})"

    assert await is_allowed(url, call.format(before=0)) is (account == "cloud_terminal_terminal")
    if account == "cloud_terminal_terminal":
        with pytest.raises(StatementError, match="kept for 30 days"):
            await is_allowed(url, call.format(before=9_999_999_999_999))


async def test_only_the_api_writes_secrets_and_merchants() -> None:
    """A worker that is taken over cannot even read a credential; nobody changes a history."""
    for account, tables in GRANTS.items():
        assert "DELETE" not in tables.get("credentials", "")
        assert ("merchants" in tables) == (account == "cloud_terminal_api")
        assert ("credentials" in tables) == (account == "cloud_terminal_api")
        for history in ("payment_events", "evidence", "audit_trail"):
            assert not any(verb in tables.get(history, "") for verb in ("UPDATE", "DELETE"))


async def test_earlier_grants_are_revoked(postgres_store: Store) -> None:
    """A manual grant, or one of an earlier release, does not outlive the next migration."""
    account = "cloud_terminal_notifier"
    database = postgres_store.open()
    try:
        await change(database, f"GRANT DELETE ON payments TO {account}")
        await grant_accounts(database, {})
    finally:
        await database.close()

    assert not await is_allowed(as_account(postgres_store.url, account), "DELETE FROM payments WHERE false")


@pytest.mark.parametrize("password", ["", "short", "x' SUPERUSER --0123456789", ACCOUNT_PASSWORD + "\n"])
async def test_a_password_that_is_more_than_a_password_is_refused(
    postgres_store: Store, password: str
) -> None:
    """It stands in a statement."""
    database = postgres_store.open()
    try:
        with pytest.raises(UnfitPassword):
            await grant_accounts(database, {"cloud_terminal_api": password})
    finally:
        await database.close()
