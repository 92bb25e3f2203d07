"""The registry on both databases: two requests at once, and sole use only after its confirmation."""

import asyncio
from typing import Any

import pytest
from payments import ADDRESS, HOST, MERCHANT, PORT, change, rows
from races.interleaving import finished_or_blocked, outcome_of, paused_before_commit, running
from stored.merchants import TESTER, create_merchant

from shared.storage.db.engine import Database
from shared.storage.terminals import device_replacement, registry, sole_use
from shared.storage.terminals.registry import AddressTaken, Entry, TooManyTerminals
from shared.storage.terminals.status import AtAddress, at_addresses

OTHER = "other"


@pytest.fixture
async def database(database: Database) -> Database:
    await create_merchant(database, OTHER, "Another", [])
    return database


async def at_address(database: Database, terminal_address: str = ADDRESS) -> AtAddress:
    key = (MERCHANT, terminal_address)
    return (await at_addresses(database, [key]))[key]


def entry(terminal_id: str = "terminal-1", terminal_address: str = ADDRESS, **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "id": terminal_id,
        "label": "",
        "shop": "",
        "host": HOST,
        "port": PORT,
        "terminal_address": terminal_address,
        "protocol": "ConcertV3.1",
        "profile": "{}",
        "pos_number": "01",
        "authorisation": "standard",
        "authorisation_above_cents": None,
        "sole_use": False,
    }
    return Entry(**{**values, **changes})


async def test_two_requests_for_one_address_store_one_entry(
    database: Database, second_database: Database
) -> None:
    """By two API processes at once; the other one raises AddressTaken."""
    outcomes = await asyncio.gather(
        registry.put(database, MERCHANT, [entry("a")], limit=100),
        registry.put(second_database, MERCHANT, [entry("b")], limit=100),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AddressTaken", "list"]
    assert len(await rows(database, "SELECT id FROM terminals")) == 1


async def test_two_requests_at_once_do_not_exceed_the_limit_of_terminals(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The second waits for the first one's commit and then counts it; a change of what is there is none."""
    there, one_more, another = (entry(f"terminal-{port}", f"127.0.0.9:{port}") for port in (1, 2, 3))
    await registry.put(postgres_database, MERCHANT, [there], limit=1)

    with paused_before_commit(postgres_database) as pause:
        async with running(registry.put(postgres_database, MERCHANT, [one_more], limit=2)) as one:
            await pause.reached()
            async with running(registry.put(second_postgres_database, MERCHANT, [another], limit=2)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                await outcome_of(one)
                with pytest.raises(TooManyTerminals):
                    await outcome_of(other)

    assert await registry.put(postgres_database, MERCHANT, [there], limit=1) == [False]
    assert await registry.count(postgres_database, MERCHANT) == 2


async def test_a_file_is_stored_whole_or_not_at_all(database: Database) -> None:
    """The last row's conflict rolls all of them back."""
    await registry.put(database, MERCHANT, [entry("old")], limit=100)

    with pytest.raises(AddressTaken) as raised:
        await registry.put(database, MERCHANT, [entry("a", "127.0.0.10:8888"), entry("b")], limit=100)

    assert (raised.value.terminal_id, raised.value.other_id) == ("b", "old")
    assert [row.id for row in await rows(database, "SELECT id FROM terminals")] == ["old"]


async def test_one_merchant_at_most_has_the_sole_use_of_an_address(
    database: Database, second_database: Database
) -> None:
    """Of two confirmations at once, the database refuses the second one."""
    for merchant_id in (MERCHANT, OTHER):
        await registry.put(database, merchant_id, [entry(sole_use=True)], limit=100)
    assert (await at_address(database)).sole_user is None

    outcomes = await asyncio.gather(
        sole_use.confirm(database, MERCHANT, "terminal-1", actor=TESTER),
        sole_use.confirm(second_database, OTHER, "terminal-1", actor=TESTER),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AddressTaken", "bool"]
    assert (await at_address(database)).sole_user in (MERCHANT, OTHER)


async def test_an_entry_follows_the_address_of_its_host_name(database: Database) -> None:
    """But not its sole use, and not an address for which the merchant has another entry."""
    await registry.put(
        database, MERCHANT, [entry(sole_use=True), entry("next", "127.0.0.11:8888")], limit=100
    )
    await sole_use.confirm(database, MERCHANT, "terminal-1", actor=TESTER)

    await registry.update_address(database, MERCHANT, "terminal-1", "127.0.0.11:8888")
    assert (await at_address(database)).sole_user == MERCHANT

    await registry.update_address(database, MERCHANT, "terminal-1", "127.0.0.12:8888")
    moved = (await at_address(database, "127.0.0.12:8888")).terminal
    assert moved is not None
    assert moved.id == "terminal-1"
    assert (await at_address(database, "127.0.0.12:8888")).sole_user is None


async def test_a_missing_identification_outlives_a_replacement(database: Database) -> None:
    """Otherwise one merchant could leave another one's terminal without payments."""
    await registry.put(database, MERCHANT, [entry()], limit=100)
    await change(
        database,
        "INSERT INTO terminal_locks (address, echoes, identifies, identify_first)"
        f" VALUES ('{ADDRESS}', '[[\"CB\"]]', false, true)",
    )

    assert await device_replacement.replace_device(database, MERCHANT, "terminal-1") is True

    (lock,) = await rows(database, "SELECT echoes, identifies, identify_first FROM terminal_locks")
    assert (lock.echoes, lock.identifies, bool(lock.identify_first)) == (
        "[]",
        0,
        True,
    )
