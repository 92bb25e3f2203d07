"""HiPay's Console as a table of the terminal: every transaction, and the sums."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from sandbox.pages.formats import decimal_text


def console_table(transactions: Sequence[Mapping[str, Any]], totals: Mapping[str, int]) -> Table:
    """Return the table, the oldest first; both as the Console's `GET /transactions` has them."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_footer=True)
    table.add_column("order", "sum", no_wrap=True)
    table.add_column("transaction", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for name in ("authorised", "captured"):
        table.add_column(name, decimal_text(totals[f"{name}_cents"]), no_wrap=True, justify="right")
    table.add_column("brand", no_wrap=True)
    table.add_column("card", no_wrap=True)
    for one in reversed(transactions):
        payment = one["payment"]
        table.add_row(
            one["order_id"],
            one["transaction_reference"],
            f"{one['status']} {one['message']}",
            decimal_text(one["authorised_cents"]),
            decimal_text(one["captured_cents"]),
            payment["brand"],
            payment["masked_pan"],
        )
    return table
