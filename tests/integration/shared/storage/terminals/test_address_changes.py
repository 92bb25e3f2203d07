"""Terminals at a new address, which is marked while the device may still be busy at the earlier one."""

import pytest
from payments import ADDRESS, change, ended, in_doubt, in_session, queued, rows
from stored.merchants import create_merchant

from shared.payment.states import Event
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.terminals import locks, registry
from shared.storage.terminals.registry import Entry

NAME, PORT = "terminal.example", 8888
ELSEWHERE = f"127.0.0.77:{PORT}"


async def is_marked(database: Database, terminal_address: str = ELSEWHERE) -> bool | None:
    """Return True if the address's next session begins with an identification; None: it has no lock."""
    found = await rows(
        database,
        "SELECT identify_first FROM terminal_locks WHERE address = :terminal_address",
        terminal_address=terminal_address,
    )
    return bool(found[0].identify_first) if found else None


async def pays_elsewhere(database: Database, **changes: object) -> None:
    await queued(database, **{"host": NAME, "terminal_address": ELSEWHERE, "order_id": "order-2", **changes})


async def test_the_new_address_of_a_terminal_in_doubt_is_marked(database: Database) -> None:
    """The device may still show the amount; a second payment does not forget it."""
    await in_doubt(database, host=NAME)

    await pays_elsewhere(database)
    assert await is_marked(database)
    await pays_elsewhere(database, order_id="order-3")
    assert await is_marked(database)


async def test_a_known_address_is_marked_as_well(database: Database) -> None:
    """Although the new address was used before."""
    await ended(
        database, Event.ANSWERED_DONE, terminal_address=ELSEWHERE, host="127.0.0.77", order_id="order-0"
    )
    assert await is_marked(database) is False
    await in_session(database, host=NAME)

    await pays_elsewhere(database)

    assert await is_marked(database)


async def test_a_mark_of_the_earlier_address_is_copied(database: Database) -> None:
    """Its lease ended without an answered enquiry; then the name's address changed."""
    await ended(database, Event.ANSWERED_DONE, host=NAME)
    await change(database, "UPDATE terminal_locks SET identify_first = true")

    await pays_elsewhere(database)

    assert await is_marked(database)


async def test_a_payment_that_waits_for_the_earlier_address_marks_the_new_one(database: Database) -> None:
    """It may be sent there at any moment."""
    await queued(database, host=NAME)

    await pays_elsewhere(database)

    assert await is_marked(database)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"host": NAME, "port": PORT + 1}, {}),
        ({"host": "other.example"}, {}),
        ({"host": "127.0.0.9"}, {"host": "127.0.0.77"}),
    ],
)
async def test_another_terminal_is_not_marked(
    database: Database, first: dict[str, object], second: dict[str, object]
) -> None:
    """Another name, another port, a literal address: nothing shows that it is the same device."""
    await in_doubt(database, **first)

    await pays_elsewhere(database, **second)

    assert await is_marked(database) is False


async def test_a_free_and_unmarked_earlier_address_leaves_no_mark(database: Database) -> None:
    """The usual change of a name's address."""
    await ended(database, Event.ANSWERED_DONE, host=NAME)

    await pays_elsewhere(database)

    assert await is_marked(database) is False


async def test_a_terminal_that_does_not_answer_identifications_is_not_marked(database: Database) -> None:
    """It never answers them: a mark would leave it without payments."""
    await in_doubt(database, host=NAME)
    await change(database, "UPDATE terminal_locks SET identifies = false")

    await pays_elsewhere(database)

    assert await is_marked(database) is False


async def test_another_merchants_name_is_its_own(database: Database) -> None:
    """One merchant's name is not compared with another's."""
    await create_merchant(database, "another", "A butcher", [])
    await in_doubt(database, host=NAME)

    await pays_elsewhere(database, merchant_id="another")

    assert await is_marked(database) is False


def entry(terminal_address: str, host: str = NAME) -> Entry:
    return Entry(
        id="terminal-1",
        label="",
        shop="",
        host=host,
        port=PORT,
        terminal_address=terminal_address,
        protocol="ConcertV3.2",
        profile="{}",
        pos_number="01",
        authorisation="standard",
        authorisation_above_cents=None,
        sole_use=False,
    )


@pytest.mark.parametrize("is_busy", [True, False])
async def test_the_new_address_of_a_registered_terminal_is_marked_while_the_earlier_one_is_locked(
    database: Database, is_busy: bool
) -> None:
    """Both if its merchant changes the entry and if its host's name has a new address."""
    third = f"127.0.0.78:{PORT}"
    await registry.put(database, "merchant", [entry(ADDRESS)], limit=100)
    if is_busy:
        await in_doubt(database)
    else:
        await ended(database, Event.ANSWERED_DONE)

    await registry.put(database, "merchant", [entry(ELSEWHERE, host="127.0.0.77")], limit=100)
    assert await is_marked(database) is (True if is_busy else None)

    await registry.update_address(database, "merchant", "terminal-1", third)
    assert await is_marked(database, third) is (True if is_busy else None)


async def test_the_earlier_address_of_a_name_is_found_by_its_index(database: Database) -> None:
    """Acceptance reads no more payments than one, whatever a merchant has."""
    statement = locks._CREATE_BY_NAME
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
    names = {"merchant_id": "merchant", "host": NAME, "port": PORT, "terminal_address": ADDRESS}

    async def look(tx: Transaction) -> str:
        if tx.dialect == "postgresql":
            await tx.run(Statement("SET LOCAL enable_seqscan = off"))
        found = await tx.all(Statement(f"{explain} {statement.on(tx.dialect)}"), **names)
        return "\n".join(str(row) for row in found)

    assert "payments_by_name" in await database.write(look)
