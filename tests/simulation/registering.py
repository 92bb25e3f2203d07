"""Terminals that the merchants registered, with profiles of their own."""

import json
from typing import Any, Final

from tests.simulation.database.sqlite import Store
from tests.simulation.engine.surroundings import MERCHANT_IDS

_INSERT: Final = (
    "INSERT INTO terminals (merchant_id, id, label, host, port, terminal_address, protocol, profile,"
    " pos_number,"
    " created_at) VALUES (?, ?, 'Till', ?, 8888, ?, 'ConcertV3.2', ?, ?, 0)"
)


def register(
    store: Store, terminal_address: str, host: str, profile: dict[str, Any], pos_number: str
) -> None:
    """Store the terminal for every merchant, before anybody pays."""
    lent = store.files.main.lend()
    for merchant_id in MERCHANT_IDS:
        values = (
            merchant_id,
            f"term-{terminal_address}",
            host,
            terminal_address,
            json.dumps(profile),
            pos_number,
        )
        lent.execute(_INSERT, values)
    lent.commit()
    store.files.main.give_back(lent)
