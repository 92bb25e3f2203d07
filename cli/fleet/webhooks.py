"""Commands `cloud-terminal webhooks`."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.remote.output import AsJson, Column, Row, Rows, print_facts, print_rows, short_time

if TYPE_CHECKING:
    from cli.remote.client import Api

app = typer.Typer(
    help="A merchant's webhook endpoints: list them, send a test event.",
    no_args_is_help=True,
    add_completion=False,
)

_ENDPOINTS: Final = ("v1", "webhooks", "endpoints")
_LOOK_AGAIN_SECONDS: Final = 0.5


def _state(row: Row) -> str:
    if row["disabled"]:
        return f"disabled ({row['disabled_because']})" if "disabled_because" in row else "disabled"
    if "paused_until" in row:
        return f"paused until {short_time(row['paused_until'])[11:]}"
    return f"{row['failures']} failures" if row["failures"] else "enabled"


_COLUMNS: Final = (
    Column("endpoint", "id", is_whole=True),
    Column("url", "url"),
    Column("state", _state),
    Column("types", lambda row: row["types"] or "all", leaves=1),
    Column("description", "description", leaves=2),
)


@app.command("list")
def list_endpoints(limit: Rows = 20, as_json: AsJson = False) -> None:
    """List a merchant's webhook endpoints, with its credential; the oldest first."""
    from cli.remote.client import api, path_of

    with api() as server:
        rows = server.pages(path_of(*_ENDPOINTS), "endpoints", limit)
        print_rows(rows, _COLUMNS, as_json=as_json, nothing="There is no endpoint.")


@app.command("test")
def send_test(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint's id.")],
    wait: Annotated[
        float, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for the first attempt.")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send a signed test event to an endpoint, as webhooks are sent, and show its receiver's answer.

    With the merchant's credential. Exit code 1 if it was not delivered: the
    answer or the reason is shown, and it is tried again like any webhook.
    """
    from cli.process import EXIT_UNAVAILABLE
    from cli.remote.client import api, path_of

    with api() as server:
        delivery_id = server.call("POST", path_of(*_ENDPOINTS, endpoint, "test"))["delivery_id"]
        delivery = _tried(server, delivery_id, time.monotonic() + wait)
    print_facts(_facts(delivery), as_json=as_json, whole=delivery)
    if delivery["state"] != "delivered":
        if not delivery["attempts"]:
            print("Not sent yet: does a notifier worker run?", file=sys.stderr)
        raise typer.Exit(EXIT_UNAVAILABLE)


def _tried(server: "Api", delivery_id: str, deadline: float) -> dict[str, Any]:
    """Return the delivery once it was tried, or as it is at the deadline (monotonic)."""
    from cli.remote.client import path_of

    while True:
        delivery: dict[str, Any] = server.get(path_of("v1", "webhooks", "deliveries", delivery_id))
        # The attempt may have been stored after the delivery was read.
        is_tried = delivery["attempts"] and not delivery["is_being_sent"]
        if is_tried or delivery["state"] != "waiting" or time.monotonic() >= deadline:
            return delivery
        time.sleep(_LOOK_AGAIN_SECONDS)


def _facts(delivery: Row) -> dict[str, Any]:
    last = delivery["attempts"][-1] if delivery["attempts"] else {}
    return {
        "delivery": delivery["id"],
        "event": delivery.get("event_id"),
        "state": delivery["state"],
        "because": delivery.get("reason"),
        "status": last.get("status"),
        "error": last.get("error"),
        "took": f"{last['duration_ms']} ms" if last else None,
        "answer": last.get("answer"),
        "next try (UTC)": short_time(delivery.get("next_try_at")),
    }
