"""Commands `cloud-terminal merchant`: create, networks, unknown-orders, suspend, resume."""

import ipaddress
import json
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.storage.db.engine import Database
    from shared.storage.terminals.merchants import UnknownOrders

app = typer.Typer(
    help="Merchants and the networks of their terminals.", no_args_is_help=True, add_completion=False
)

_NETWORK_HELP = (
    "A network (CIDR) of this merchant's terminals, e.g. 10.20.0.0/16; repeatable. `public` is every public "
    "address."
)
_MerchantId = Annotated[str, typer.Argument(help="The merchant's id.")]
_CANCEL_UNKNOWN_HELP = (
    "Send a Cancel of an order that was not paid here to the terminal, which may reverse its newest other"
    " sale "
    "of that amount."
)
_CREDIT_UNKNOWN_HELP = "Send a Credit of an order that was not paid here to the terminal."


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The merchant's name, for display only.")],
    network: Annotated[
        list[str] | None,
        typer.Option(help=_NETWORK_HELP + " Without any its payments are refused."),
    ] = None,
    guard_hours: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=8760,
            help="For a POS that restarts its order numbers: hours after which a paid order's number may be "
            "used for another payment; by default never. The number of a payment in doubt is never reused.",
        ),
    ] = None,
    cancel_unknown: Annotated[bool, typer.Option(help=_CANCEL_UNKNOWN_HELP)] = False,
    credit_unknown: Annotated[bool, typer.Option(help=_CREDIT_UNKNOWN_HELP)] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create a merchant and print its id, which `credential create` takes."""
    from rich.console import Console

    from cli.db import opened_or_made_database
    from cli.process import plain_errors, run_on_loop
    from shared.runtime.clock import SystemClock
    from shared.runtime.ids import new_merchant_id
    from shared.settings.load import load_settings
    from shared.storage.terminals import merchants

    networks = _networks(network or [])
    merchant_id = new_merchant_id(SystemClock(), os.urandom)
    unknown_orders = merchants.UnknownOrders(cancel_unknown, credit_unknown)

    async def store() -> None:
        async with opened_or_made_database(load_settings()) as database:
            await merchants.create_merchant(
                database, merchant_id, name, networks, guard_hours, unknown_orders
            )

    with plain_errors():
        run_on_loop(store())
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        shown = {
            "id": merchant_id,
            "name": name,
            "networks": networks,
            "guard_hours": guard_hours,
            "cancel_unknown": cancel_unknown,
            "credit_unknown": credit_unknown,
        }
        print(json.dumps(shown))
        return
    console.print(f"Merchant [bold]{merchant_id}[/bold] ({name})")
    console.print(f"Allowed networks: {_shown(networks)}")
    if guard_hours is not None:
        console.print(f"A paid order keeps its number for {guard_hours} hours.")
    for sentence in _unknown_orders(unknown_orders):
        console.print(sentence)
    console.print(f"Next: cloud-terminal credential create {merchant_id}")


@app.command("networks")
def networks(
    merchant: _MerchantId,
    network: Annotated[list[str], typer.Option(help=_NETWORK_HELP)],
) -> None:
    """Replace a merchant's allowed networks, within 5 seconds."""
    from shared.storage.terminals import merchants

    named = _networks(network)
    _change(merchant, lambda database: merchants.set_networks(database, merchant, named))
    print(f"Allowed networks of {merchant}: {_shown(named)}")


@app.command("unknown-orders")
def unknown_orders(
    merchant: _MerchantId,
    cancel_unknown: Annotated[bool, typer.Option(help=_CANCEL_UNKNOWN_HELP)],
    credit_unknown: Annotated[bool, typer.Option(help=_CREDIT_UNKNOWN_HELP)],
) -> None:
    """Allow or refuse a merchant's reversals and credits of orders that were not paid here, within 5 s."""
    from shared.storage.terminals import merchants

    wanted = merchants.UnknownOrders(cancel_unknown, credit_unknown)
    _change(merchant, lambda database: merchants.set_unknown_orders(database, merchant, wanted))
    for sentence in _unknown_orders(wanted):
        print(sentence)


@app.command("suspend")
def suspend(
    merchant: _MerchantId,
    reason: Annotated[str, typer.Option(help="The reason, which the merchant sees.", min=1)],
) -> None:
    """Refuse a merchant's new orders and probes, within 5 seconds; existing payments continue."""
    from shared.storage.terminals import merchants

    _change(merchant, lambda database: merchants.suspend_merchant(database, merchant, reason))
    print(f"{merchant} is suspended: {reason}")


@app.command("resume")
def resume(merchant: _MerchantId) -> None:
    """Accept a suspended merchant's orders again, within 5 seconds."""
    from shared.storage.terminals import merchants

    _change(merchant, lambda database: merchants.resume_merchant(database, merchant))
    print(f"{merchant} is active.")


def _change(merchant_id: str, change: Callable[["Database"], Awaitable[bool]]) -> None:
    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from shared.settings.load import load_settings
    from shared.storage.db.opening import opened_database

    async def store() -> bool:
        async with opened_database(load_settings()) as database:
            return await change(database)

    with plain_errors():
        if not run_on_loop(store()):
            raise fail(f"Unknown merchant {merchant_id}.", EXIT_USAGE)


def _networks(texts: list[str]) -> list[str]:
    from cli.process import EXIT_USAGE, fail
    from shared.network.hosts import PUBLIC

    named = []
    for text in texts:
        try:
            named.append(text if text == PUBLIC else str(ipaddress.ip_network(text)))
        except ValueError as error:
            raise fail(f"--network {text}: {error}. Write it like 10.20.0.0/16.", EXIT_USAGE) from error
    return named


def _shown(networks: list[str]) -> str:
    from shared.network.hosts import PUBLIC

    texts = ["every public address" if network == PUBLIC else network for network in networks]
    return ", ".join(texts) or "none; add one by `cloud-terminal merchant networks` before the first payment"


def _unknown_orders(wanted: "UnknownOrders") -> list[str]:
    result = {True: "sent to the terminal", False: "refused"}
    return [
        f"A Cancel of an order that was not paid here is {result[wanted.reversals]}.",
        f"A Credit of an order that was not paid here is {result[wanted.credits]}.",
    ]
