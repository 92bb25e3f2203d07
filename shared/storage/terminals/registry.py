"""The registry of merchants' terminals: entries are stored, changed, disabled and removed.

An entry changes nothing for other merchants unless an operator has confirmed its sole use. Observed
capabilities belong to the terminal address, which several merchants may share.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from shared.storage.db.engine import Database, Row, Transaction, UniqueViolation
from shared.storage.db.statement import Statement
from shared.storage.db.unchanged import check_unchanged
from shared.storage.terminals import locks
from shared.storage.terminals.merchants import lock_merchant

Authorisation = Literal["standard", "always", "above"]
SoleUse = Literal["none", "requested", "confirmed"]

SELECT_ALL: Final = (
    "SELECT id, merchant_id, label, shop, host, port, terminal_address, protocol, profile, pos_number,"
    " authorisation, authorisation_above_cents, disabled_at, sole_use_requested_at,"
    " sole_use_confirmed_at, created_at, changed_at, replaced_at FROM terminals"
)
_SELECT: Final = f"{SELECT_ALL} WHERE merchant_id = :merchant_id"
_GET = Statement(_SELECT + " AND id = :id")
_LOCKED = Statement(_SELECT + " AND id = :id {for_update}")
_PAGE = Statement(_SELECT + " AND id > :after ORDER BY id LIMIT :most")

#: Another entry of the merchant for the same address.
_OTHER_AT_ADDRESS = Statement(
    "SELECT id FROM terminals WHERE merchant_id = :merchant_id AND terminal_address = :terminal_address"
    " AND id <> :id"
)

INSERT = Statement(
    "INSERT INTO terminals (id, merchant_id, label, shop, host, port, terminal_address, protocol, profile,"
    " pos_number, authorisation, authorisation_above_cents, sole_use_requested_at, created_at,"
    " changed_at)"
    " VALUES (:id, :merchant_id, :label, :shop, :host, :port, :terminal_address, :protocol, :profile,"
    " :pos_number,"
    " :authorisation, :authorisation_above_cents, CASE WHEN :sole_use THEN {now} END, {now}, {now})"
)

#: A confirmation is for one merchant at one address: it ends with the address, or with the request.
_CHANGE = Statement(
    "UPDATE terminals SET label = :label, shop = :shop, host = :host, port = :port, protocol = :protocol,"
    " profile = :profile, pos_number = :pos_number, authorisation = :authorisation,"
    " authorisation_above_cents = :authorisation_above_cents,"
    " sole_use_requested_at = CASE WHEN :sole_use THEN COALESCE(sole_use_requested_at, {now}) END,"
    " sole_use_confirmed_by = CASE WHEN :sole_use AND terminal_address = :terminal_address THEN"
    " sole_use_confirmed_by END,"
    " sole_use_confirmed_at = CASE WHEN :sole_use AND terminal_address = :terminal_address THEN"
    " sole_use_confirmed_at END,"
    " terminal_address = :terminal_address, changed_at = {now} WHERE merchant_id = :merchant_id AND id ="
    " :id RETURNING id"
)

#: The host's name has another address now. The entry keeps the old one where another entry has the new one.
_UPDATE_ADDRESS = Statement(
    "UPDATE terminals SET terminal_address = :terminal_address, sole_use_confirmed_at = NULL,"
    " sole_use_confirmed_by = NULL"
    " WHERE merchant_id = :merchant_id AND id = :id AND terminal_address <> :terminal_address AND NOT"
    " EXISTS (SELECT 1 FROM terminals"
    " other WHERE other.merchant_id = :merchant_id AND other.terminal_address = :terminal_address AND"
    " other.id <> :id)"
)

#: Read after the merchant's lock was taken.
_COUNT = Statement("SELECT COUNT(*) AS number FROM terminals WHERE merchant_id = :merchant_id")

_REMOVE = Statement("DELETE FROM terminals WHERE merchant_id = :merchant_id AND id = :id RETURNING id")

_DISABLE = Statement(
    "UPDATE terminals SET changed_at = {now},"
    " disabled_at = CASE WHEN :disabled THEN COALESCE(disabled_at, {now}) END"
    " WHERE merchant_id = :merchant_id AND id = :id RETURNING id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TerminalFields:
    id: str
    label: str
    shop: str
    host: str
    port: int
    terminal_address: str
    protocol: str
    #: JSON, see `TerminalRow`.
    profile: str
    pos_number: str
    authorisation: Authorisation
    #: Set with `above` only.
    authorisation_above_cents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(_TerminalFields):
    """A merchant's entry for a terminal; `terminal_address` is the current address of its host."""

    sole_use: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredTerminal(_TerminalFields):
    """A stored entry. Times are milliseconds since 1970 UTC."""

    merchant_id: str
    disabled_at: int | None
    sole_use_requested_at: int | None
    sole_use_confirmed_at: int | None
    created_at: int
    changed_at: int
    replaced_at: int | None

    @property
    def sole_use(self) -> SoleUse:
        if self.sole_use_confirmed_at is not None:
            return "confirmed"
        return "none" if self.sole_use_requested_at is None else "requested"


class TooManyTerminals(Exception):
    """Raised when a merchant would have more terminals than its limit."""


class AddressTaken(Exception):
    """Raised when the merchant has another entry for the address, or another merchant has its sole use."""

    def __init__(self, terminal_id: str, other_id: str | None = None) -> None:
        super().__init__(terminal_id, other_id)
        self.terminal_id = terminal_id
        self.other_id = other_id


async def get(database: Database, merchant_id: str, terminal_id: str) -> RegisteredTerminal | None:
    """Return an entry; None: there is no such entry."""
    row = await database.read(lambda tx: tx.one(_GET, merchant_id=merchant_id, id=terminal_id))
    return None if row is None else registered_terminal(row)


async def page(database: Database, merchant_id: str, *, after: str, most: int) -> list[RegisteredTerminal]:
    """Return at most `most` of a merchant's terminals in the order of their ids, those after `after`."""
    rows = await database.read(lambda tx: tx.all(_PAGE, merchant_id=merchant_id, after=after, most=most))
    return [registered_terminal(row) for row in rows]


async def put(
    database: Database,
    merchant_id: str,
    entries: Sequence[Entry],
    *,
    limit: int,
    seen: RegisteredTerminal | None = None,
) -> list[bool]:
    """Store all entries or none; return for each True if it is new.

    `limit`: terminals of the merchant. `seen`: an entry that has to be as it was. Raises Changed,
    AddressTaken (also where two entries swap their addresses: change one of them to a third address first),
    TooManyTerminals, DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> list[bool]:
        await _check_unchanged(tx, seen)
        created = [await put_in(tx, merchant_id, entry) for entry in entries]
        if any(created):
            # After the inserts: a later transaction counts them, too.
            await lock_merchant(tx, merchant_id)
            if await _count(tx, merchant_id) > limit:
                raise TooManyTerminals
        return created

    try:
        return await database.write(work)
    except UniqueViolation as error:
        # Another request for the same address, or for the same new id, came first.
        raise AddressTaken(entries[0].id) from error


async def put_in(tx: Transaction, merchant_id: str, entry: Entry) -> bool:
    """Store an entry inside a transaction; return True if it is new. Raises AddressTaken."""
    other = await tx.one(
        _OTHER_AT_ADDRESS, merchant_id=merchant_id, terminal_address=entry.terminal_address, id=entry.id
    )
    if other is not None:
        raise AddressTaken(entry.id, other.id)
    values = asdict(entry) | {"merchant_id": merchant_id}
    await locks.mark_new_address(
        tx, merchant_id=merchant_id, terminal_id=entry.id, terminal_address=entry.terminal_address
    )
    if await tx.one(_CHANGE, **values) is not None:
        return False
    await tx.run(INSERT, **values)
    return True


async def occupied_addresses(
    database: Database, merchant_id: str, entries: Sequence[Entry]
) -> dict[str, str]:
    """Return the ids of entries that cannot be stored, with the stored entry that has their address.

    An entry that the same call changes releases its address only where it keeps its id there.
    """

    async def look(tx: Transaction) -> dict[str, str]:
        found = {}
        for entry in entries:
            row = await tx.one(
                _OTHER_AT_ADDRESS,
                merchant_id=merchant_id,
                terminal_address=entry.terminal_address,
                id=entry.id,
            )
            if row is not None:
                found[entry.id] = str(row.id)
        return found

    return await database.read(look)


async def _count(tx: Transaction, merchant_id: str) -> int:
    row = await tx.one(_COUNT, merchant_id=merchant_id)
    assert row is not None, "an aggregate has a row"
    return int(row.number)


async def count(database: Database, merchant_id: str) -> int:
    """Return the number of terminals that the merchant has registered."""
    return await database.read(lambda tx: _count(tx, merchant_id))


async def known_ids(database: Database, merchant_id: str, entries: Sequence[Entry]) -> set[str]:
    """Return the ids among the entries' that the merchant has registered."""

    async def look(tx: Transaction) -> set[str]:
        rows = [await tx.one(_GET, merchant_id=merchant_id, id=entry.id) for entry in entries]
        return {row.id for row in rows if row is not None}

    return await database.read(look)


async def update_address(
    database: Database, merchant_id: str, terminal_id: str, terminal_address: str
) -> None:
    """Store the new address of an entry's host name; a confirmed sole use ends."""

    async def work(tx: Transaction) -> None:
        await locks.mark_new_address(
            tx, merchant_id=merchant_id, terminal_id=terminal_id, terminal_address=terminal_address
        )
        await tx.run(
            _UPDATE_ADDRESS, merchant_id=merchant_id, id=terminal_id, terminal_address=terminal_address
        )

    await database.write(work)


async def _check_unchanged(tx: Transaction, seen: RegisteredTerminal | None) -> None:
    if seen is not None:
        row = await tx.one(_LOCKED, merchant_id=seen.merchant_id, id=seen.id)
        check_unchanged(None if row is None else registered_terminal(row), seen)


async def remove(
    database: Database, merchant_id: str, terminal_id: str, *, seen: RegisteredTerminal | None = None
) -> bool:
    """Delete an entry; False: there is none. Its accepted payments are carried out.

    `seen`: the entry has to be as it was. Raises Changed.
    """

    async def work(tx: Transaction) -> bool:
        await _check_unchanged(tx, seen)
        return await tx.one(_REMOVE, merchant_id=merchant_id, id=terminal_id) is not None

    return await database.write(work)


async def set_disabled(database: Database, merchant_id: str, terminal_id: str, *, disabled: bool) -> bool:
    """Refuse the terminal's payments, or accept them again; False: there is no such entry."""

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_DISABLE, merchant_id=merchant_id, id=terminal_id, disabled=disabled)
        return row is not None

    return await database.write(work)


def registered_terminal(row: Row) -> RegisteredTerminal:
    """Return an entry of a row."""
    return RegisteredTerminal(**row._mapping)
