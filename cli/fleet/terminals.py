"""Commands `cloud-terminal terminals`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.remote.output import AsJson, Column, Row, Rows, print_facts, print_rows, short_time

if TYPE_CHECKING:
    from cli.remote.client import Api

app = typer.Typer(
    help="Terminals of all merchants: who has each since when, and how it does.",
    no_args_is_help=True,
    add_completion=False,
)

_PAGE_ROWS: Final = 100
_Terminal = Annotated[str, typer.Argument(metavar="TERMINAL", help="The terminal's id.")]


def _state(row: Row) -> str:
    if "disabled_at" in row:
        return "disabled"
    return "busy" if "held_by" in row else "free"


def _time(name: str) -> Callable[[Row], str]:
    return lambda row: short_time(row.get(name))[:16]


_COLUMNS: Final = (
    Column("merchant", "merchant_id", is_whole=True, leaves=1),
    Column("terminal", "id", is_whole=True),
    Column("address", "terminal_address"),
    Column("state", _state),
    Column("since (UTC)", _time("held_since"), leaves=2),
    Column("by", "held_by", is_whole=True, leaves=4),
    Column("last answer", _time("last_answer_at"), leaves=3),
    Column("paid", lambda row: f"{row['succeeded']}/{row['rated']}" if row["rated"] else "", "right"),
)


@app.command("list")
def list_terminals(
    merchant: Annotated[str | None, typer.Option(help="Of this merchant only.")] = None,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List terminals with who has each since when; `paid`: of the newest 50 payments."""
    from cli.remote.client import api

    with api() as server:
        rows = _terminals(server, merchant, limit)
        print_rows(rows, _COLUMNS, as_json=as_json, nothing="No terminal is registered.")


@app.command("show")
def show(terminal: _Terminal, as_json: AsJson = False) -> None:
    """Show a terminal of a merchant, with that merchant's credential."""
    _call("GET", as_json, terminal)


@app.command("add")
def add(
    terminal: _Terminal,
    host: Annotated[str, typer.Argument(help="Its address or name.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its Concert port.")] = 8888,
    label: Annotated[str, typer.Option(help="For display.")] = "",
    shop: Annotated[str, typer.Option(help="The shop that it stands in.")] = "",
    as_json: AsJson = False,
) -> None:
    """Register a terminal, or change it, with its merchant's credential."""
    _call("PUT", as_json, terminal, json={"host": host, "port": port, "label": label, "shop": shop})


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file of terminals.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file, store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register every row of a file or none, with the merchant's credential."""
    from cli.remote.progress import progress

    with progress(f"{file.name} is imported"):
        _call(
            "POST",
            as_json,
            "import",
            params={"dry_run": dry_run},
            content=file.read_bytes(),
            headers={"Content-Type": "text/csv"},
        )


@app.command("probe")
def probe(terminal: _Terminal, as_json: AsJson = False) -> None:
    """Look whether a terminal is there, over HTTP with its merchant's credential."""
    _call("POST", as_json, terminal, "probe")


@app.command("release")
def release(terminal: _Terminal, as_json: AsJson = False) -> None:
    """Ask for the terminal of a payment in doubt, with its merchant's credential."""
    _call("POST", as_json, terminal, "release")


def _terminals(server: "Api", merchant: str | None, most: int) -> Iterator[dict[str, Any]]:
    after, seen = None, 0
    while True:
        left = _PAGE_ROWS if not most else min(_PAGE_ROWS, most - seen)
        page = server.get("/v1/operator/terminals", merchant=merchant, after=after, limit=left)
        yield from page["terminals"]
        seen += len(page["terminals"])
        after = page.get("next")
        if after is None or (most and seen >= most):
            return


def _call(method: str, as_json: bool, *parts: str, **request: Any) -> None:
    from cli.remote.client import api, path_of

    with api() as server:
        found = server.call(method, path_of("v1", "terminals", *parts), **request)
    print_facts(found, as_json=as_json)
