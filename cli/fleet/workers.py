"""Commands `cloud-terminal workers`."""

from typing import Annotated, Final

import typer

from cli.remote.output import AsJson, Column, Row, Yes, confirm, print_facts, print_rows

app = typer.Typer(
    help="Terminal workers: whether each lives, and its end.", no_args_is_help=True, add_completion=False
)


def _heartbeat(row: Row) -> str:
    return ("lives" if row["is_alive"] else "none") + (", drains" if row["drains"] else "")


COLUMNS: Final = (
    Column("worker", "id", is_whole=True),
    Column("host", "host"),
    Column("version", "version", leaves=1),
    Column("heartbeat", _heartbeat),
    Column("terminals", "terminals", "right"),
    Column("longest for", lambda row: f"{row['longest_held_seconds']:.0f} s", "right"),
)


@app.command("list")
def list_workers(as_json: AsJson = False) -> None:
    """List terminal workers after two looks at their heartbeats, 2.5 seconds apart."""
    from cli.remote.client import api

    with api() as server:
        found = server.get("/v1/operator/workers")["workers"]
    print_rows(found, COLUMNS, as_json=as_json, nothing="No terminal worker runs.")


@app.command("drain")
def drain(
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="The worker's id, as the list shows it.")],
    reason: Annotated[str, typer.Option(help="Why; for the audit trail.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a worker take nothing new, finish its sessions and end, as SIGTERM does.

    It begins within some seconds and lasts 210 seconds at most. Whatever
    supervises the process may start a new one, which has another id.
    """
    from cli.remote.client import api, path_of

    confirm(f"Let {worker} end?", yes=yes)
    with api() as server:
        done = server.call(
            "POST", path_of("v1", "operator", "workers", worker, "drain"), json={"reason": reason}
        )
    facts = {"worker": done["id"], "asked": "now" if done["is_new"] else "before"}
    print_facts(facts, as_json=as_json, whole=done)
