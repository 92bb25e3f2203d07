"""Command `cloud-terminal top`."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.fleet.workers import COLUMNS
from cli.remote.output import Row, table_of

if TYPE_CHECKING:
    from rich.console import Console, Group

    from cli.remote.client import Api

_STATES: Final = ("queued", "in_session", "in_doubt")


def show_top(
    interval: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds between looks.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one look as a JSON object.")] = False,
) -> None:
    """Show the installation live: open payments, busy terminals, the last minute, workers.

    Ctrl-C ends it. In a pipe it is one look. Each look takes 2.5 seconds more,
    for two looks at the workers' heartbeats.
    """
    from rich.console import Console

    from cli.remote.client import api

    console = Console(highlight=False)
    with api() as server:
        if as_json or not console.is_terminal:
            seen = {**server.get("/v1/operator/overview"), **server.get("/v1/operator/workers")}
            if as_json:
                print(json.dumps(seen))
            else:
                console.print(_picture(seen, console, ""))
            return
        try:
            _live(server, console, interval)
        except KeyboardInterrupt:
            return


def _live(server: "Api", console: "Console", interval_seconds: float) -> None:
    """Show look after look; an API that is unavailable leaves the last one, and its time."""
    from rich.live import Live

    seen: dict[str, Any] = {**server.get("/v1/operator/overview"), "workers": []}
    with Live(_picture(seen, console, "Ctrl-C ends it."), console=console, auto_refresh=False) as live:
        while True:
            found = _look(server)
            seen, note = (seen, "The API is unavailable.") if found is None else (found, "Ctrl-C ends it.")
            live.update(_picture(seen, console, f"{time.strftime('%H:%M:%S')}  {note}"), refresh=True)
            time.sleep(interval_seconds)


def _look(server: "Api") -> dict[str, Any] | None:
    from cli.remote.client import refused

    seen: dict[str, Any] = {}
    for path in ("/v1/operator/overview", "/v1/operator/workers"):
        answered = server.tried("GET", path)
        if isinstance(answered, Exception) or answered.status_code >= 500:
            return None
        if answered.status_code != 200:
            raise refused(answered)
        seen |= answered.json()
    return seen


def _picture(seen: Row, console: "Console", note: str) -> "Group":
    from rich.console import Group
    from rich.text import Text

    workers = seen["workers"]
    lines = [
        "   ".join(_open(name.replace("_", " "), seen[name]) for name in _STATES),
        _terminals(seen["busy_terminals"]),
        _minute(seen["last_minute"]),
        f"{sum(worker['is_alive'] for worker in workers)} of {len(workers)} workers live",
        "",
    ]
    table = [table_of(workers, COLUMNS, console)] if workers else []
    return Group(*lines, *table, Text(note, style="dim"))


def _open(name: str, payments: Row) -> str:
    oldest = f" (oldest {payments['oldest_seconds']:.0f} s)" if payments["count"] else ""
    return f"{payments['count']} {name}{oldest}"


def _terminals(busy: Row) -> str:
    return f"{busy['count']} terminals busy, {busy['overdue']} overdue"


def _minute(minute: Row) -> str:
    return (
        f"{minute['accepted']} accepted in the last minute ({minute['accepted'] / 60:.1f} a second): "
        f"{minute['succeeded']} succeeded, {minute['failed']} failed"
    )
