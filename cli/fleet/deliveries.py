"""Commands `cloud-terminal deliveries`."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from cli.remote.output import AsJson, Column, Rows, print_facts, print_rows, short_time

app = typer.Typer(
    help="Order notifications and webhooks: list, show, send once more.",
    no_args_is_help=True,
    add_completion=False,
)


class State(StrEnum):
    """A delivery's state."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


_Delivery = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id.")]
_COLUMNS: Final = (
    Column("delivery", "id", is_whole=True),
    Column("type", "type"),
    Column("state", "state"),
    Column("written (UTC)", lambda row: short_time(row["created_at"])[:16]),
)


@app.command("list")
def list_deliveries(
    state: Annotated[State | None, typer.Option(help="In this state only.")] = None,
    merchant: Annotated[str | None, typer.Option(help="Of this merchant only.")] = None,
    payment: Annotated[str | None, typer.Option(help="Of this payment only.")] = None,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List deliveries of all merchants and to HiPay, the newest first."""
    from cli.remote.client import api

    wanted = None if state is None else state.value
    with api() as server:
        rows = server.pages(
            "/v1/operator/deliveries", "deliveries", limit, state=wanted, merchant=merchant, payment=payment
        )
        print_rows(rows, _COLUMNS, as_json=as_json, nothing="There is none.")


@app.command("show")
def show(delivery: _Delivery, as_json: AsJson = False) -> None:
    """Show a delivery with its newest attempts."""
    from cli.remote.client import api, path_of

    with api() as server:
        print_facts(server.get(path_of("v1", "operator", "deliveries", delivery)), as_json=as_json)


@app.command("replay")
def replay(delivery: _Delivery, as_json: AsJson = False) -> None:
    """Send a delivery once more; one that waits is due now."""
    from cli.remote.client import api, path_of

    with api() as server:
        done = server.call("POST", path_of("v1", "operator", "deliveries", delivery, "replay"))
    print_facts(done, as_json=as_json)
