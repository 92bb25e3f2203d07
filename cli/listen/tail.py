"""Commands `cloud-terminal events`."""

import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from cli.process import printable
from cli.remote.output import AsJson, euros

app = typer.Typer(help="Events of a merchant's payments, as they come.", add_completion=False)

#: Of the longest type, `payment.contradicted`.
_TYPE_WIDTH: Final = 20


@app.callback(no_args_is_help=True)
def of_every_verb() -> None:
    """Events of a merchant's payments, as they come."""


@app.command("tail")
def tail(
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="Begin then, e.g. 2026-03-05T12:00 (UTC).", show_default="now"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="TYPE", help="Of this type only; may be repeated.", show_default=False
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option(help="Go on with what comes; otherwise end after the newest event.")
    ] = True,
    interval: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between readings.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show events of a merchant's feed, with its credential, until Ctrl-C.

    A line is time (UTC), type, payment, amount and order. Events of an API that
    is unavailable meanwhile are shown later; none is left out.
    """
    from cli.listen.feed import Feed
    from cli.remote.client import api

    begin = None if since is None else since.replace(tzinfo=since.tzinfo or UTC)
    wanted = frozenset(only or ())
    with api() as server:
        feed = Feed(server, interval, None, begin)
        try:
            if begin is None:
                feed.skip_to_end()
            while True:
                for event in feed.read():
                    if _is_wanted(event, wanted, begin):
                        print(json.dumps(event, ensure_ascii=False) if as_json else _line(event), flush=True)
                if not follow and feed.is_at_end:
                    return
                time.sleep(feed.pause_seconds)
        except KeyboardInterrupt:
            return


def _is_wanted(event: dict[str, Any], types: frozenset[str], since: datetime | None) -> bool:
    # The feed's order is that of commits: one of before may stand behind one of that time.
    is_late = since is not None and datetime.fromisoformat(event["occurred_at"]) < since
    return not is_late and (not types or event["type"] in types)


def _line(event: dict[str, Any]) -> str:
    result: dict[str, Any] = event.get("result", {})
    parts = (
        str(event["occurred_at"])[11:19],
        str(event["type"]).ljust(_TYPE_WIDTH),
        str(event.get("payment_id", "")),
        euros(result.get("amount"), str(result.get("currency", ""))).rjust(11),
        str(event.get("order_id", "")),
    )
    # Texts of a POS may hold what a terminal obeys.
    return printable(" ".join(parts).rstrip())
