"""A terminal that is reached at another address: what may still run at the earlier one is not forgotten."""

import pytest
from payments import LINE, change, ended, in_doubt, in_session, queued, rows
from sqlalchemy import text

from shared.payment.states import Event
from shared.storage.db.engine import Database, Transaction
from shared.storage.terminals import address_changes, registry
from shared.storage.terminals.merchants import create_merchant
from shared.storage.terminals.registry import Entry

NAME, PORT = "till.example", 8888
ELSEWHERE = f"127.0.0.77:{PORT}"


async def is_marked(database: Database, terminal_address: str = ELSEWHERE) -> bool | None:
    """Return whether the line's next session begins with an identification; None: there is no such line."""
    found = await rows(
        database,
        "SELECT identify_first FROM terminal_locks WHERE address = :terminal_address",
        terminal_address=terminal_address,
    )
    return bool(found[0].identify_first) if found else None


async def pays_elsewhere(database: Database, **changes: object) -> None:
    await queued(database, **{"host": NAME, "terminal_address": ELSEWHERE, "order_id": "order-2", **changes})


async def test_a_name_that_leads_elsewhere_while_its_terminal_is_in_doubt_is_asked_first(
    database: Database,
) -> None:
    """The device may still show the amount; a second payment does not forget it."""
    await in_doubt(database, host=NAME)

    await pays_elsewhere(database)
    assert await is_marked(database)
    await pays_elsewhere(database, order_id="order-3")
    assert await is_marked(database)


async def test_a_line_that_is_known_is_marked_as_well(database: Database) -> None:
    """Whoever used the new address before."""
    await ended(
        database, Event.ANSWERED_DONE, terminal_address=ELSEWHERE, host="127.0.0.77", order_id="order-0"
    )
    assert await is_marked(database) is False
    await in_session(database, host=NAME)

    await pays_elsewhere(database)

    assert await is_marked(database)


async def test_a_mark_at_the_earlier_address_goes_along(database: Database) -> None:
    """Its hold ended without an answered enquiry; then the name led elsewhere."""
    await ended(database, Event.ANSWERED_DONE, host=NAME)
    await change(database, "UPDATE terminal_locks SET identify_first = true")

    await pays_elsewhere(database)

    assert await is_marked(database)


async def test_a_payment_that_still_waits_for_the_earlier_address_counts(database: Database) -> None:
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
async def test_another_terminal_is_not_asked_first(
    database: Database, first: dict[str, object], second: dict[str, object]
) -> None:
    """Another name, another port, a literal address: nothing says that it is the same device."""
    await in_doubt(database, **first)

    await pays_elsewhere(database, **second)

    assert await is_marked(database) is False


async def test_what_is_over_at_the_earlier_address_leaves_no_mark(database: Database) -> None:
    """Free and not marked: the usual case of a name that moves."""
    await ended(database, Event.ANSWERED_DONE, host=NAME)

    await pays_elsewhere(database)

    assert await is_marked(database) is False


async def test_a_terminal_excused_from_identifications_is_not_asked_for_one(database: Database) -> None:
    """It never answers them: a mark would leave it without payments."""
    await in_doubt(database, host=NAME)
    await change(database, "UPDATE terminal_locks SET identifies = false")

    await pays_elsewhere(database)

    assert await is_marked(database) is False


async def test_another_merchants_name_is_its_own(database: Database) -> None:
    """What one merchant's name leads to says nothing of another's."""
    await create_merchant(database, "another", "A butcher", [])
    await in_doubt(database, host=NAME)

    await pays_elsewhere(database, merchant_id="another")

    assert await is_marked(database) is False


def entry(terminal_address: str, host: str = NAME) -> Entry:
    return Entry(
        id="till-1",
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
async def test_a_registered_terminal_that_moves_is_asked_first_while_its_earlier_address_is_held(
    database: Database, is_busy: bool
) -> None:
    """Whether its merchant changes the entry, or its host's name leads elsewhere."""
    third = f"127.0.0.78:{PORT}"
    await registry.put(database, "merchant", [entry(LINE)], limit=100)
    if is_busy:
        await in_doubt(database)
    else:
        await ended(database, Event.ANSWERED_DONE)

    await registry.put(database, "merchant", [entry(ELSEWHERE, host="127.0.0.77")], limit=100)
    assert await is_marked(database) is (True if is_busy else None)

    await registry.update_address(database, "merchant", "till-1", third)
    assert await is_marked(database, third) is (True if is_busy else None)


async def test_where_a_name_led_before_is_found_by_its_index(database: Database) -> None:
    """Acceptance reads no more payments than one, whatever a merchant has."""
    statement = address_changes._CREATE_BY_NAME
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
    names = {"merchant_id": "merchant", "host": NAME, "port": PORT, "terminal_address": LINE}

    async def look(tx: Transaction) -> str:
        if tx.dialect == "postgresql":
            await tx.connection.execute(text("SET LOCAL enable_seqscan = off"))
        found = await tx.connection.execute(text(f"{explain} {statement.on(tx.dialect)}"), names)
        return "\n".join(str(row) for row in found.all())

    assert "payments_by_name" in await database.write(look)
