"""The status of terminals for one merchant: lock, observed capabilities and waiting payments."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final

from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Dialect, Statement
from shared.storage.terminals.merchants import Terminal

#: A merchant's id, and the terminal address that it asks for.
MerchantAtAddress = tuple[str, str]

_COLUMNS: Final = tuple(field.name for field in fields(Terminal))
_SHOWN: Final = ", ".join(f"t.{column}" for column in _COLUMNS)
_ASKED: Final[dict[Dialect, str]] = {
    "postgresql": (
        "json_to_recordset(CAST(:asked AS json)) AS asked(merchant_id TEXT, terminal_address TEXT)"
    ),
    "sqlite": (
        "(SELECT json_extract(value, '$.merchant_id') AS merchant_id,"
        " json_extract(value, '$.terminal_address') AS terminal_address FROM json_each(:asked)) asked"
    ),
}


def _found(asked: str) -> Statement:
    """Return the statement of a merchant's own entries and of those that have sole use."""
    # Two searches, each by its index: merchants without number may have an entry at one private address.
    own, sole = (
        f"SELECT asked.merchant_id AS asked_by, t.merchant_id AS used_by, {is_sole} AS is_sole, {_SHOWN}"
        f" FROM {asked} JOIN terminals t ON t.terminal_address = asked.terminal_address AND {condition}"
        for is_sole, condition in (
            ("FALSE", "t.merchant_id = asked.merchant_id"),
            ("TRUE", "t.sole_use_confirmed_at IS NOT NULL"),
        )
    )
    return Statement(f"{own} UNION ALL {sole}")


_FOUND: Final = {dialect: _found(asked) for dialect, asked in _ASKED.items()}


@dataclass(frozen=True, slots=True)
class AtAddress:
    """A merchant's own terminal at an address, and the merchant whose sole use of it was confirmed."""

    terminal: Terminal | None = None
    sole_user: str | None = None


async def at_addresses(
    database: Database, asked: Sequence[MerchantAtAddress]
) -> dict[MerchantAtAddress, AtAddress]:
    """Return what is registered at each address that is asked for. Raises DatabaseUnavailable."""
    listed = [
        {"merchant_id": merchant_id, "terminal_address": terminal_address}
        for merchant_id, terminal_address in asked
    ]
    rows = await database.read(lambda tx: tx.all(_FOUND[tx.dialect], asked=json.dumps(listed)))
    terminals: dict[MerchantAtAddress, Terminal] = {}
    sole_users: dict[MerchantAtAddress, str] = {}
    for row in rows:
        key = (row.asked_by, row.terminal_address)
        if row.is_sole:
            sole_users[key] = row.used_by
        else:
            terminals[key] = Terminal(**{column: getattr(row, column) for column in _COLUMNS})
    return {key: AtAddress(terminals.get(key), sole_users.get(key)) for key in asked}


#: Limit of the waiting payments that are read; a page lists fewer.
_WAITING_AT_MOST: Final = 10_000

_LOCKS = Statement(
    "SELECT l.address, l.held_by, l.acquired_at, l.lease_until, l.echoes, l.answered_at, l.identifies,"
    " l.identify_first, COALESCE(p.merchant_id, r.merchant_id) AS holds_for, p.state FROM terminal_locks l"
    " LEFT JOIN payments p ON p.id = l.held_by LEFT JOIN probes r ON r.id = l.held_by"
    " WHERE l.address {in_ids}"
)

_WAITING = Statement(
    "SELECT terminal_address, id, merchant_id FROM payments"
    " WHERE state = 'queued' AND terminal_address {in_ids}"
    f" ORDER BY created_at, id LIMIT {_WAITING_AT_MOST}"
)


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a terminal lock; `id` is None if it is another merchant's payment or probe."""

    id: str | None
    #: The payment's; None for a probe and for others' payments.
    state: str | None
    since: int
    #: End of the lease, for display.
    until: int | None


@dataclass(slots=True)
class TerminalStatus:
    """The status of one terminal. Times are milliseconds since 1970 UTC."""

    #: The tags of each of the last three complete answers.
    echoes: list[list[str]] = field(default_factory=list)
    answered_at: int | None = None
    #: True if the terminal answers identifications; None: not known.
    identifies: bool | None = None
    #: The next session begins with one.
    identify_first: bool = False
    holder: Holder | None = None
    #: The merchant's own queued payments, the oldest first, and the number of all others'.
    waiting: list[str] = field(default_factory=list)
    others_waiting: int = 0


async def statuses(
    database: Database, merchant_id: str, addresses: Sequence[str]
) -> dict[str, TerminalStatus]:
    """Return the status by address; an address that was never used has an empty one."""

    async def look(tx: Transaction) -> tuple[Sequence[Row], Sequence[Row]]:
        return await tx.all_of(_LOCKS, addresses), await tx.all_of(_WAITING, addresses)

    found, queued = await database.read(look)
    statuses = {terminal_address: TerminalStatus() for terminal_address in addresses}
    for row in found:
        statuses[row.address] = _status(row, merchant_id)
    for row in queued:
        if row.merchant_id == merchant_id:
            statuses[row.terminal_address].waiting.append(row.id)
        else:
            statuses[row.terminal_address].others_waiting += 1
    return statuses


def _status(row: Row, merchant_id: str) -> TerminalStatus:
    holder = None
    if row.held_by is not None:
        own = row.holds_for == merchant_id
        holder = Holder(
            row.held_by if own else None, row.state if own else None, row.acquired_at, row.lease_until
        )
    return TerminalStatus(
        echoes=json.loads(row.echoes),
        answered_at=row.answered_at,
        identifies=None if row.identifies is None else bool(row.identifies),
        identify_first=bool(row.identify_first),
        holder=holder,
    )
