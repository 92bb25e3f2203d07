"""Registered terminals by their address, as orders name them: many addresses in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from shared.storage.db.engine import Database
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
