"""Sales of one cash register in a SQLite file: what was asked for, and what became of it."""

import sqlite3
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: `paying` and `unknown` are the two in which the money must not be taken in another way. A sale is `open`
#: for a moment: it is stored before anything is sent.
SaleState = Literal["open", "paying", "paid", "not_paid", "unknown"]


@dataclass(frozen=True)
class Sale:
    """One sale."""

    number: int
    order_id: str
    amount_cents: int
    #: Names this sale's debit for ever: it is stored before anything is sent.
    key: str
    state: SaleState
    #: What the cashier reads.
    message: str
    receipt: str


class Sales:
    """Table of the sales."""

    def __init__(self, file: Path | str) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS sales (number INTEGER PRIMARY KEY, order_id TEXT UNIQUE, "
            "amount_cents INTEGER, key TEXT, state TEXT, message TEXT, receipt TEXT)"
        )

    def new(self, amount_cents: int) -> Sale:
        order_id, key = f"POS-{uuid.uuid4()}", str(uuid.uuid4())
        row = self._connection.execute(
            "INSERT INTO sales (order_id, amount_cents, key, state, message, receipt) "
            "VALUES (?, ?, ?, 'open', '', '') RETURNING number",
            (order_id, amount_cents, key),
        ).fetchone()
        return self.get(row[0])

    def get(self, number: int) -> Sale:
        """Return a sale. Raises KeyError where there is none."""
        for sale in self._read("SELECT * FROM sales WHERE number = ?", number):
            return sale
        raise KeyError(number)

    def all(self) -> list[Sale]:
        return self._read("SELECT * FROM sales ORDER BY number DESC")

    def unfinished(self) -> list[Sale]:
        """Return the sales of which it is not known whether they are paid."""
        return self._read("SELECT * FROM sales WHERE state IN ('open', 'paying', 'unknown')")

    def change(self, number: int, state: SaleState, message: str, receipt: str = "") -> None:
        self._connection.execute(
            "UPDATE sales SET state = ?, message = ?, receipt = ? WHERE number = ?",
            (state, message, receipt, number),
        )

    def _read(self, statement: str, *values: object) -> list[Sale]:
        rows = self._connection.execute(statement, values)
        return [Sale(*row) for row in rows]
