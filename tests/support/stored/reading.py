"""Stored payments, histories and terminal locks, as a test reads them."""

import json
from typing import Any

from payments import rows
from stored.lossy_database import LossyDatabase


class StoredState:
    """Rows of a database, read with the test's own connections."""

    def __init__(self, database: LossyDatabase) -> None:
        self.database = database

    async def stored(self, payment_id: str) -> Any:
        """Return the payment's row."""
        (row,) = await rows(self.database, "SELECT * FROM payments WHERE id = :id", id=payment_id)
        return row

    async def payments(self) -> list[Any]:
        """Return every payment's row, the oldest first."""
        return list(await rows(self.database, "SELECT * FROM payments ORDER BY created_at, id"))

    async def all_of(self, table: str) -> list[Any]:
        return list(await rows(self.database, f"SELECT * FROM {table}"))

    async def details(self, payment_id: str) -> list[dict[str, Any]]:
        """Return the details of the payment's history in order, each with its `event`."""
        found = await rows(
            self.database,
            "SELECT event, detail FROM payment_events WHERE payment_id = :id ORDER BY id",
            id=payment_id,
        )
        return [{"event": row.event, **json.loads(row.detail)} for row in found]

    async def events(self, payment_id: str) -> list[str]:
        """Return the names of the payment's events in order."""
        return [detail["event"] for detail in await self.details(payment_id)]

    async def holder(self, host: str) -> str | None:
        """Return the payment that holds the terminal lock; None where it is free."""
        found = await rows(
            self.database,
            "SELECT held_by FROM terminal_locks WHERE address = :terminal_address",
            terminal_address=f"{host}:8888",
        )
        return found[0].held_by if found else None

    async def is_free(self, host: str) -> bool:
        """Return whether the terminal lock is free."""
        return await self.holder(host) is None
