"""Command `cloud-terminal payments list`."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from cli.payments.export import CreatedFrom, CreatedTo, InState, OfMerchant, OfOperation, OnTerminal
from cli.remote.output import AsJson, Column, Row, Rows, euros, print_rows, short_time


def _of_payment(name: str) -> Callable[[Row], Any]:
    return lambda row: row["payment"].get(name)


_COLUMNS: Final = (
    Column("payment", _of_payment("id"), is_whole=True),
    Column("accepted (UTC)", lambda row: short_time(row["payment"]["created_at"])[:16]),
    Column("amount", lambda row: euros(row["payment"]["amount"], row["payment"]["currency"]), "right"),
    Column("state", _of_payment("state")),
    Column("order", _of_payment("order_id"), is_whole=True, leaves=1),
    Column("operation", _of_payment("operation"), leaves=2),
    Column("terminal", "terminal_address", leaves=3),
    Column("card", _of_payment("masked_card"), leaves=4),
    Column("merchant", "merchant_id", is_whole=True, leaves=5),
)


def list_payments(
    order: Annotated[str | None, typer.Option(help="Attempts of this order only.")] = None,
    card: Annotated[str | None, typer.Option(help="The last four digits of the card's number.")] = None,
    amount: Annotated[int | None, typer.Option(min=0, help="Of exactly these cents.")] = None,
    number: Annotated[
        str | None, typer.Option("--authorisation-number", help="Of the authorisation, from the receipt.")
    ] = None,
    receipt: Annotated[
        str | None, typer.Option("--receipt-number", help="Digits of the customer's receipt, as printed.")
    ] = None,
    merchant: OfMerchant = None,
    terminal: OnTerminal = None,
    state: InState = None,
    operation: OfOperation = None,
    created_from: CreatedFrom = None,
    created_to: CreatedTo = None,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List payments of all merchants, the newest first; those that fit every option.

    A wide terminal shows order, operation, terminal, card and merchant, too.
    """
    from cli.remote.client import api

    with api() as server:
        rows = server.pages(
            "/v1/operator/payments",
            "payments",
            limit,
            order_id=order,
            card=card,
            amount=amount,
            authorisation_number=number,
            receipt_number=receipt,
            merchant=merchant,
            terminal_address=terminal,
            state=state,
            operation=operation,
            created_from=created_from,
            created_to=created_to,
        )
        print_rows(rows, _COLUMNS, as_json=as_json, nothing="There is none.")
