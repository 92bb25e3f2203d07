"""What the database holds, read as anybody would: plain SQL on the file."""

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of `payment_events`."""

    payment_id: str
    #: Milliseconds since 1970, by the database's clock.
    at: int
    event: str
    state: str
    detail: dict[str, Any]


class StoredRows:
    """Reads the payments, their history and the lines; changes nothing."""

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.as_uri()}?mode=ro"

    def payments(self) -> list[dict[str, Any]]:
        """Return the rows of `payments`, oldest first."""
        return self._rows("SELECT * FROM payments ORDER BY created_at, id")

    def events(self, payment_id: str | None = None) -> list[StoredEvent]:
        """Return the history of one payment, or of all, in the order it was written."""
        where = "" if payment_id is None else "WHERE payment_id = ?"
        rows = self._rows(
            f"SELECT payment_id, at, event, state, detail FROM payment_events {where} ORDER BY id",  # noqa: S608
            *(() if payment_id is None else (payment_id,)),
        )
        return [StoredEvent(**{**row, "detail": json.loads(row["detail"])}) for row in rows]

    def held_lines(self) -> list[str]:
        """Return the terminals' addresses that a payment still holds."""
        rows = self._rows("SELECT address FROM terminal_locks WHERE held_by IS NOT NULL ORDER BY address")
        return [str(row["address"]) for row in rows]

    def open_deliveries(self) -> list[str]:
        """Return the notifications that were not delivered yet, or never will be."""
        rows = self._rows("SELECT id FROM deliveries WHERE state <> 'delivered' ORDER BY id")
        return [str(row["id"]) for row in rows]

    def _rows(self, statement: str, *parameters: str) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(self._uri, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, parameters)]
