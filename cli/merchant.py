"""`cloud-terminal merchant create`."""

import ipaddress
import json
import os
from typing import Annotated

import typer


def create(
    name: Annotated[str, typer.Argument(help="The merchant's name, for people to read.")],
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="A network (CIDR) whose terminals this merchant may drive, e.g. 10.20.0.0/16; repeatable. "
            "Without any: every public address, and no private, loopback or link-local one."
        ),
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create a merchant and print its id, which `credential create` takes."""
    from rich.console import Console

    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from shared.clock import SystemClock
    from shared.ids import new_merchant_id
    from shared.settings.load import load_settings
    from shared.storage import merchants
    from shared.storage.opening import opened_database

    networks = []
    for text in network or []:
        try:
            networks.append(str(ipaddress.ip_network(text)))
        except ValueError as error:
            raise fail(f"--network {text}: {error}. Write it like 10.20.0.0/16.", EXIT_USAGE) from error
    merchant_id = new_merchant_id(SystemClock(), os.urandom)

    async def store() -> None:
        async with opened_database(load_settings()) as database:
            await merchants.create_merchant(database, merchant_id, name, networks, guard_hours)

    with plain_errors():
        run_on_loop(store())
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        shown = {"id": merchant_id, "name": name, "networks": networks, "guard_hours": guard_hours}
        print(json.dumps(shown))
        return
    console.print(f"Merchant [bold]{merchant_id}[/bold] ({name})")
    console.print(f"Allowed networks: {', '.join(networks) or 'every public address'}")
    if guard_hours is not None:
        console.print(f"A paid order keeps its number for {guard_hours} hours.")
    console.print(f"Next: cloud-terminal credential create {merchant_id}")
