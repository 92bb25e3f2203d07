"""Command `cloud-terminal payments charged-twice`."""

from typing import Annotated, Final

import typer

from cli.payments.export import CreatedFrom, CreatedTo, OfMerchant, OnTerminal
from cli.process import printable
from cli.remote.output import AsJson, Column, Row, Rows, euros, print_rows, short_time

_COLUMNS: Final = (
    Column("payment", "id", is_whole=True),
    Column("accepted (UTC)", lambda row: short_time(row["created_at"])),
    Column("state", "state"),
    Column("order", "order_id", is_whole=True),
    Column("operation", "operation", leaves=1),
    Column("authorisation", "authorisation_number", leaves=2),
)


def list_equal_charges(
    card: Annotated[str | None, typer.Option(help="The last four digits of the card's number.")] = None,
    amount: Annotated[int | None, typer.Option(min=0, help="Of exactly these cents.")] = None,
    terminal: OnTerminal = None,
    merchant: OfMerchant = None,
    created_from: CreatedFrom = None,
    created_to: CreatedTo = None,
    minutes: Annotated[
        int, typer.Option("--within", metavar="MINUTES", min=1, max=1440, help="So far apart at most.")
    ] = 60,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List charges of the same card, amount and terminal near each other, side by side.

    Name a card or a terminal; a time makes the search short. `payments show`
    has the receipt of each.
    """
    from cli.remote.client import api

    with api() as server:
        groups = server.pages(
            "/v1/operator/payments/charged-twice",
            "groups",
            limit,
            card=card,
            amount=amount,
            terminal_address=terminal,
            merchant=merchant,
            created_from=created_from,
            created_to=created_to,
            within_minutes=minutes,
        )
        if as_json:
            print_rows(groups, (), as_json=True, nothing="")
            return
        found = list(groups)
    for group in found:
        for line in _titles(group):
            print(printable(line))
        print_rows(group["payments"], _COLUMNS, as_json=False, nothing="")
        print()
    if not found:
        print("No card was charged twice.")


def _titles(group: Row) -> tuple[str, str]:
    where = f"{group.get('terminal_address', 'no terminal')} of {group['merchant_id']}"
    counts = f"{group['charged']} charged, {group['may_have_charged']} may have"
    return f"{euros(group['amount'])} at {where}", f"{counts}, {group['given_back']} given back"
