"""Lines that turn out to be one device become one, and no lock that is held is lost."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic import command
from payments import change, rows
from sqlalchemy import Connection

from shared.storage.db.engine import Database, open_database
from shared.storage.db.migrate import CannotMigrate, _config, migrate

BEFORE_ONE_DEVICE_ONE_LINE = "0011"

FOLDED = "127.0.0.9:8888"
NAT64 = "[64:ff9b::7f00:9]:8888"
MAPPED = "[::ffff:127.0.0.9]:8888"
ZONE, NO_ZONE = "[::1%99]:8888", "[::1]:8888"


@pytest.fixture
async def before(empty_url: str) -> AsyncIterator[Database]:
    """A database with two merchants, of the schema before."""

    def upgrade(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE_ONE_DEVICE_ONE_LINE)

    database = open_database(empty_url)
    await database.write(lambda tx: tx.connection.run_sync(upgrade))
    for merchant in ("m1", "m2"):
        await _insert(database, "merchants", id=merchant, name="", networks="[]", created_at=0)
    yield database
    await database.close()


async def _insert(database: Database, table: str, **values: object) -> None:
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    await change(database, f"INSERT INTO {table} ({names}) VALUES ({places})", **values)


async def _payment(database: Database, payment_id: str, line: str, state: str = "succeeded") -> None:
    await _insert(
        database,
        "payments",
        id=payment_id,
        merchant_id="m1",
        order_id=payment_id,
        operation="debit",
        operation_key=f"debit:{payment_id}",
        state=state,
        amount_cents=1,
        currency="EUR",
        protocol="ConcertV3.2",
        force_authorization=False,
        host="h",
        port=8888,
        line=line,
        register_number="01",
        profile="{}",
        request="{}",
        created_at=0,
        deadline_at=0,
        published_at=0,
    )


async def _terminal(database: Database, merchant: str, terminal_id: str, line: str, **values: Any) -> None:
    await _insert(
        database,
        "terminals",
        **{
            "merchant_id": merchant,
            "id": terminal_id,
            "label": "",
            "host": "h",
            "port": 8888,
            "line": line,
            "protocol": "ConcertV3.2",
            "profile": "{}",
            "register_number": "01",
            "created_at": 0,
            **values,
        },
    )


async def test_the_line_that_is_held_stays_held(before: Database) -> None:
    """By the same payment, worker, epoch and token; what asks for an identification is kept, too."""
    await _payment(before, "p1", MAPPED, "in_doubt")
    await _payment(before, "p2", NAT64)
    await _payment(before, "p3", ZONE)
    held = {"held_by": "p1", "worker": "w", "epoch": 7, "claim": "token", "taken_at": 1, "hold_until": 2}
    await _insert(before, "lines", address=FOLDED, epoch=90, answered_at=5)
    await _insert(before, "lines", address=MAPPED, **held)
    await _insert(before, "lines", address=NAT64, epoch=3, identifies=True, identify_first=True)
    await _insert(before, "lines", address=ZONE, epoch=4)

    await migrate(before)

    lines = {row.address: row for row in await rows(before, "SELECT * FROM lines")}
    assert lines.keys() == {FOLDED, NO_ZONE}
    assert {name: lines[FOLDED]._mapping[name] for name in held} == held
    assert (bool(lines[FOLDED].identify_first), bool(lines[FOLDED].identifies)) == (True, True)
    found = await rows(before, "SELECT id, line FROM payments ORDER BY id")
    assert [tuple(row) for row in found] == [("p1", FOLDED), ("p2", FOLDED), ("p3", NO_ZONE)]


async def test_a_free_line_is_of_no_earlier_session(before: Database) -> None:
    """Its epoch is above all that were, so that no late write fits; the newest answer's habits stay."""
    await _insert(before, "lines", address=MAPPED, epoch=8, answered_at=5, echoes='[["CB"]]')
    await _insert(before, "lines", address=NAT64, epoch=12, answered_at=4, echoes="[]")

    await migrate(before)

    (line,) = await rows(before, "SELECT address, epoch, echoes FROM lines")
    assert tuple(line) == (FOLDED, 13, '[["CB"]]')


async def test_two_that_are_held_at_once_are_not_made_one(before: Database) -> None:
    """Nothing is changed; once one of them is free the migration goes through."""
    await _insert(before, "lines", address=FOLDED, held_by="p1")
    await _insert(before, "lines", address=MAPPED, held_by="p2")

    with pytest.raises(CannotMigrate, match=r"127\.0\.0\.9:8888 and \[::ffff:127\.0\.0\.9\]:8888 are one"):
        await migrate(before)

    assert len(await rows(before, "SELECT address FROM lines WHERE held_by IS NOT NULL")) == 2
    await change(before, "UPDATE lines SET held_by = NULL WHERE address = :address", address=MAPPED)
    await migrate(before)
    (line,) = await rows(before, "SELECT address, held_by FROM lines")
    assert tuple(line) == (FOLDED, "p1")


async def test_each_merchant_has_one_entry_at_the_line(before: Database) -> None:
    """The one that was there, else the oldest; others are found by their id. One sole use stays."""
    await _terminal(before, "m1", "young", FOLDED, created_at=9)
    await _terminal(before, "m1", "old", NAT64, created_at=1, sole_use_confirmed_at=20)
    await _terminal(before, "m2", "second", NAT64, created_at=3)
    await _terminal(before, "m2", "first", MAPPED, created_at=2, sole_use_confirmed_at=10)
    await _terminal(before, "m1", "zone", ZONE)

    await migrate(before)

    found = {
        row.id: row for row in await rows(before, "SELECT id, line, sole_use_confirmed_at FROM terminals")
    }
    assert {terminal_id for terminal_id, row in found.items() if row.line == FOLDED} == {"young", "first"}
    assert found["zone"].line == NO_ZONE
    assert [found["old"].sole_use_confirmed_at, found["first"].sole_use_confirmed_at] == [None, 10]
