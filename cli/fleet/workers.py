"""Commands `cloud-terminal workers`."""

from typing import Final

import typer

from cli.remote.output import AsJson, Column, print_rows

app = typer.Typer(
    help="Terminal workers, and whether each lives.", no_args_is_help=True, add_completion=False
)

_COLUMNS: Final = (
    Column("worker", "id", is_whole=True),
    Column("heartbeat", lambda row: "lives" if row["is_alive"] else "none"),
    Column("terminals", "terminals", "right"),
    Column("longest for", lambda row: f"{row['longest_held_seconds']:.0f} s", "right"),
)


@app.callback()
def of_every_verb() -> None:
    """Terminal workers, and whether each lives."""


@app.command("list")
def list_workers(as_json: AsJson = False) -> None:
    """List terminal workers after two looks at their heartbeats, 2.5 seconds apart."""
    from cli.remote.client import api

    with api() as server:
        found = server.get("/v1/operator/workers")["workers"]
    print_rows(found, _COLUMNS, as_json=as_json, nothing="No terminal worker runs.")
