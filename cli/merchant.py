"""`cloud-terminal merchant`: create, networks, unknown-orders, suspend, resume."""

import ipaddress
import json
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.storage.db.engine import Database
    from shared.storage.terminals.merchants import UnknownOrders

_NETWORK_HELP = (
    "A network (CIDR) whose terminals this merchant may drive, e.g. 10.20.0.0/16; repeatable. `public` is "
    "every public address."
)
_MerchantId = Annotated[str, typer.Argument(help="The merchant's id.")]
_CANCEL_UNKNOWN_HELP = (
    "Pass a Cancel of an order that was not paid here on to the terminal, which may reverse the newest other "
    "sale of that amount."
)
_CREDIT_UNKNOWN_HELP = "Pass a Credit of an order that was not paid here on to the terminal."


def create(
    name: Annotated[str, typer.Argument(help="The merchant's name, for people to read.")],
    network: Annotated[
        list[str] | None,
        typer.Option(help=_NETWORK_HELP + " Without any it drives no terminal until one is named."),
    ] = None,
    guard_hours: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=8760,
            help="For tills that begin their order numbers again: after so many hours a paid order's number "
            "may be used for another payment. Without it, never. One whose outcome is not known keeps its "
            "number in any case.",
        ),
    ] = None,
    cancel_unknown: Annotated[bool, typer.Option(help=_CANCEL_UNKNOWN_HELP)] = False,
    credit_unknown: Annotated[bool, typer.Option(help=_CREDIT_UNKNOWN_HELP)] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create a merchant and print its id, which `credential create` takes."""
    from rich.console import Console

    from cli.migrate import opened_or_made_database
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
    for words in _unknown_orders(unknown_orders):
        console.print(words)
    console.print(f"Next: cloud-terminal credential create {merchant_id}")


def networks(
    merchant: _MerchantId,
    network: Annotated[list[str], typer.Option(help=_NETWORK_HELP)],
) -> None:
    """Let a merchant drive terminals in exactly these networks; works within 5 seconds."""
    from shared.storage.terminals import merchants

    named = _networks(network)
    _change(merchant, lambda database: merchants.set_networks(database, merchant, named))
    print(f"Allowed networks of {merchant}: {_shown(named)}")


def unknown_orders(
    merchant: _MerchantId,
    cancel_unknown: Annotated[bool, typer.Option(help=_CANCEL_UNKNOWN_HELP)],
    credit_unknown: Annotated[bool, typer.Option(help=_CREDIT_UNKNOWN_HELP)],
) -> None:
    """Say what a merchant may give back of orders that were not paid here; works within 5 seconds."""
    from shared.storage.terminals import merchants

    wanted = merchants.UnknownOrders(cancel_unknown, credit_unknown)
    _change(merchant, lambda database: merchants.set_unknown_orders(database, merchant, wanted))
    for words in _unknown_orders(wanted):
        print(words)


def suspend(
    merchant: _MerchantId,
    reason: Annotated[str, typer.Option(help="Why, as the merchant is told.", min=1)],
) -> None:
    """Refuse a merchant's new orders and probes, within 5 seconds; payments that exist go on."""
    from shared.storage.terminals import merchants

    _change(merchant, lambda database: merchants.suspend_merchant(database, merchant, reason))
    print(f"{merchant} is suspended: {reason}")


def resume(merchant: _MerchantId) -> None:
    """Take a suspended merchant's orders again, within 5 seconds."""
    from shared.storage.terminals import merchants

    _change(merchant, lambda database: merchants.resume_merchant(database, merchant))
    print(f"{merchant} is not suspended.")


def _change(merchant_id: str, change: Callable[["Database"], Awaitable[bool]]) -> None:
    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from shared.settings.load import load_settings
    from shared.storage.db.opening import opened_database

    async def store() -> bool:
        async with opened_database(load_settings()) as database:
            return await change(database)

    with plain_errors():
        if not run_on_loop(store()):
            raise fail(f"There is no merchant {merchant_id}.", EXIT_USAGE)


def _networks(texts: list[str]) -> list[str]:
    from cli.process import EXIT_USAGE, fail
    from shared.network.public_addresses import PUBLIC

    named = []
    for text in texts:
        try:
            named.append(text if text == PUBLIC else str(ipaddress.ip_network(text)))
        except ValueError as error:
            raise fail(f"--network {text}: {error}. Write it like 10.20.0.0/16.", EXIT_USAGE) from error
    return named


def _shown(networks: list[str]) -> str:
    from shared.network.public_addresses import PUBLIC

    words = ["every public address" if network == PUBLIC else network for network in networks]
    return ", ".join(words) or "none: it drives no terminal until `merchant networks` names one"


def _unknown_orders(wanted: "UnknownOrders") -> list[str]:
    said = {True: "passed on to the terminal", False: "refused"}
    return [
        f"A Cancel of an order that was not paid here is {said[wanted.reversals]}.",
        f"A Credit of an order that was not paid here is {said[wanted.credits]}.",
    ]
