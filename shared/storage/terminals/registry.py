"""The merchants' terminals as they register, change and remove them.

Whatever an entry says, it changes nothing for other merchants; only a sole use that an operator has confirmed
does. What was learned of a terminal belongs to its line, which several merchants may share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.operator_actions import Action, record_action
from shared.storage.terminals import locks, moved_terminals
from shared.storage.terminals.merchants import lock_merchant

Authorisation = Literal["standard", "always", "above"]
SoleUse = Literal["none", "requested", "confirmed"]

_SELECT: Final = (
    "SELECT id, merchant_id, label, shop, host, port, terminal_address, protocol, profile, pos_number,"
    " authorisation, authorisation_above_cents, disabled_at, sole_use_requested_at,"
    " sole_use_confirmed_at, created_at, changed_at, replaced_at FROM terminals"
    " WHERE merchant_id = :merchant_id"
)
_GET = Statement(_SELECT + " AND id = :id")
_PAGE = Statement(_SELECT + " AND id > :after ORDER BY id LIMIT :most")

#: Another entry of the merchant on the same line.
_OTHER_ON_LINE = Statement(
    "SELECT id FROM terminals WHERE merchant_id = :merchant_id AND terminal_address = :terminal_address"
    " AND id <> :id"
)

_INSERT = Statement(
    "INSERT INTO terminals (id, merchant_id, label, shop, host, port, terminal_address, protocol, profile,"
    " pos_number, authorisation, authorisation_above_cents, sole_use_requested_at, created_at,"
    " changed_at)"
    " VALUES (:id, :merchant_id, :label, :shop, :host, :port, :terminal_address, :protocol, :profile,"
    " :pos_number,"
    " :authorisation, :authorisation_above_cents, CASE WHEN :sole_use THEN {now} END, {now}, {now})"
)

#: A confirmation is for one merchant at one line: at another line, or no longer wanted, it is gone.
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

#: The host's name leads elsewhere now. Left as it is where another entry has that line.
_FOLLOW = Statement(
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

_LOCK_LINE = Statement(
    "SELECT held_by, taken_at FROM terminal_locks WHERE address = :terminal_address {for_update}"
)

_REPLACED = Statement(
    "UPDATE terminals SET replaced_at = {now}, changed_at = {now}"
    " WHERE merchant_id = :merchant_id AND id = :id"
)

#: An excuse from identification and a mark that asks for one stay until one is answered: dropping either by
#: a merchant's word could leave the line without payments, or send one to a terminal that shows another's.
_FORGET = Statement(
    "UPDATE terminal_locks SET echoes = '[]', identifies = CASE WHEN identifies THEN NULL ELSE identifies END"
    " WHERE address = :terminal_address"
)

_CONFIRM = Statement(
    "UPDATE terminals SET sole_use_confirmed_at = {now}, sole_use_confirmed_by = :by"
    " WHERE merchant_id = :merchant_id AND id = :id AND sole_use_requested_at IS NOT NULL"
    " AND sole_use_confirmed_at IS NULL RETURNING id"
)
_WITHDRAW = Statement(
    "UPDATE terminals SET sole_use_confirmed_at = NULL, sole_use_confirmed_by = NULL"
    " WHERE merchant_id = :merchant_id AND id = :id AND sole_use_confirmed_at IS NOT NULL RETURNING id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a merchant says of a terminal; `terminal_address` is where its host leads to now."""

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
    sole_use: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """An entry as it is stored. Times are milliseconds since 1970 UTC."""

    id: str
    merchant_id: str
    label: str
    shop: str
    host: str
    port: int
    terminal_address: str
    protocol: str
    profile: str
    pos_number: str
    authorisation: Authorisation
    authorisation_above_cents: int | None
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
    """The merchant would have more terminals than it may."""


class AddressTaken(Exception):
    """The merchant has another entry for the same address and port, or somebody has its sole use."""

    def __init__(self, terminal_id: str, other_id: str | None = None) -> None:
        super().__init__(terminal_id, other_id)
        self.terminal_id = terminal_id
        self.other_id = other_id


@dataclass(frozen=True, slots=True)
class InUse:
    """A payment or probe holds the line: nothing was changed."""

    held_by: str
    since: int


async def get(database: Database, merchant_id: str, terminal_id: str) -> Registered | None:
    row = await database.read(lambda tx: tx.one(_GET, merchant_id=merchant_id, id=terminal_id))
    return None if row is None else _registered(row)


async def page(database: Database, merchant_id: str, *, after: str, most: int) -> list[Registered]:
    """Return at most so many of a merchant's terminals, by id, those after `after`."""
    rows = await database.read(lambda tx: tx.all(_PAGE, merchant_id=merchant_id, after=after, most=most))
    return [_registered(row) for row in rows]


async def put(database: Database, merchant_id: str, entries: Sequence[Entry], *, limit: int) -> list[bool]:
    """Store all entries or none; say of each whether it is new.

    `limit`: terminals of the merchant. Raises LineTaken, TooManyTerminals, DatabaseUnavailable,
    CommitUnknown.
    Two entries that swap their lines are not found to fit: change one of them to a third line first.
    """

    async def work(tx: Transaction) -> list[bool]:
        created = [await _put(tx, merchant_id, entry) for entry in entries]
        if any(created):
            # After the inserts: whoever comes later counts them, too.
            await lock_merchant(tx, merchant_id)
            if await _number(tx, merchant_id) > limit:
                raise TooManyTerminals
        return created

    try:
        return await database.write(work)
    except IntegrityError as error:
        # Another request for the same line, or for the same new id, was faster.
        raise AddressTaken(entries[0].id) from error


async def _put(tx: Transaction, merchant_id: str, entry: Entry) -> bool:
    other = await tx.one(
        _OTHER_ON_LINE, merchant_id=merchant_id, terminal_address=entry.terminal_address, id=entry.id
    )
    if other is not None:
        raise AddressTaken(entry.id, other.id)
    values: dict[str, object] = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    values["merchant_id"] = merchant_id
    await moved_terminals.mark_entry(
        tx, merchant_id=merchant_id, terminal_id=entry.id, terminal_address=entry.terminal_address
    )
    if await tx.one(_CHANGE, **values) is not None:
        return False
    await tx.run(_INSERT, **values)
    return True


async def taken_lines(database: Database, merchant_id: str, entries: Sequence[Entry]) -> dict[str, str]:
    """Return which of the entries cannot be stored, with the stored entry that has their line.

    An entry that is changed by the same call gives its line up only where it keeps its id there.
    """

    async def look(tx: Transaction) -> dict[str, str]:
        found = {}
        for entry in entries:
            row = await tx.one(
                _OTHER_ON_LINE, merchant_id=merchant_id, terminal_address=entry.terminal_address, id=entry.id
            )
            if row is not None:
                found[entry.id] = str(row.id)
        return found

    return await database.read(look)


async def _number(tx: Transaction, merchant_id: str) -> int:
    row = await tx.one(_COUNT, merchant_id=merchant_id)
    assert row is not None, "an aggregate has a row"
    return int(row.number)


async def number(database: Database, merchant_id: str) -> int:
    """Return how many terminals the merchant has registered."""
    return await database.read(lambda tx: _number(tx, merchant_id))


async def known_ids(database: Database, merchant_id: str, entries: Sequence[Entry]) -> set[str]:
    """Return the ids among the entries' that the merchant has registered."""

    async def look(tx: Transaction) -> set[str]:
        rows = [await tx.one(_GET, merchant_id=merchant_id, id=entry.id) for entry in entries]
        return {row.id for row in rows if row is not None}

    return await database.read(look)


async def follow(database: Database, merchant_id: str, terminal_id: str, terminal_address: str) -> None:
    """Note that the host's name leads to another line now; a confirmed sole use does not move along."""

    async def work(tx: Transaction) -> None:
        await moved_terminals.mark_entry(
            tx, merchant_id=merchant_id, terminal_id=terminal_id, terminal_address=terminal_address
        )
        await tx.run(_FOLLOW, merchant_id=merchant_id, id=terminal_id, terminal_address=terminal_address)

    await database.write(work)


async def remove(database: Database, merchant_id: str, terminal_id: str) -> bool:
    """Delete an entry; False: there is none. Its payments go on as they were accepted."""

    async def work(tx: Transaction) -> bool:
        return await tx.one(_REMOVE, merchant_id=merchant_id, id=terminal_id) is not None

    return await database.write(work)


async def set_disabled(database: Database, merchant_id: str, terminal_id: str, *, disabled: bool) -> bool:
    """Take no more payments, or take them again; False: there is no such entry."""

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_DISABLE, merchant_id=merchant_id, id=terminal_id, disabled=disabled)
        return row is not None

    return await database.write(work)


async def replace(database: Database, merchant_id: str, terminal_id: str) -> bool | InUse:
    """Another device is at the same place: forget what was learned of the old one; False: no such entry.

    Not while the line is held: the session that runs would teach the old device's habits again.
    """

    async def work(tx: Transaction) -> bool | InUse:
        row = await tx.one(_GET, merchant_id=merchant_id, id=terminal_id)
        if row is None:
            return False
        lock = await tx.one(_LOCK_LINE, terminal_address=row.terminal_address)
        if lock is not None and lock.held_by is not None:
            return InUse(lock.held_by, lock.taken_at)
        await tx.run(_FORGET, terminal_address=row.terminal_address)
        await tx.run(_REPLACED, merchant_id=merchant_id, id=terminal_id)
        return True

    return await database.write(work)


async def confirm_sole_use(database: Database, merchant_id: str, terminal_id: str, *, by: str) -> bool:
    """An operator confirms what the merchant asked for; False: it was not asked for, or is confirmed.

    From now on other merchants' payments to the line are refused. Raises LineTaken where the line is another
    merchant's alone.
    """

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_GET, merchant_id=merchant_id, id=terminal_id)
        if row is None:
            return False
        await locks.create(tx, row.terminal_address)
        if await tx.one(_CONFIRM, merchant_id=merchant_id, id=terminal_id, by=by) is None:
            return False
        await record_action(tx, by, Action.SOLE_USE_CONFIRMED, _named(merchant_id, row))
        return True

    try:
        return await database.write(work)
    except IntegrityError as error:
        raise AddressTaken(terminal_id) from error


async def withdraw_sole_use(database: Database, merchant_id: str, terminal_id: str, *, by: str) -> bool:
    """Take a confirmation back; False: there is no such entry. The merchant's wish stays."""

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_GET, merchant_id=merchant_id, id=terminal_id)
        if row is None:
            return False
        if await tx.one(_WITHDRAW, merchant_id=merchant_id, id=terminal_id) is not None:
            await record_action(tx, by, Action.SOLE_USE_WITHDRAWN, _named(merchant_id, row))
        return True

    return await database.write(work)


def _named(merchant_id: str, row: Row[Any]) -> dict[str, object]:
    return {"merchant_id": merchant_id, "terminal_id": row.id, "terminal_address": row.terminal_address}


def _registered(row: Row[Any]) -> Registered:
    return Registered(**row._mapping)
