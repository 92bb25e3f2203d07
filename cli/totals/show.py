"""Command `cloud-terminal totals show`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.remote.output import AsJson, Column, bare_euros, print_rows

if TYPE_CHECKING:
    from cli.remote.output import Row

FirstDay = Annotated[str, typer.Option("--from", help="The first day, e.g. 2026-03-05.")]
LastDay = Annotated[str | None, typer.Option("--to", help="The last day, included; by default the first.")]
OfMerchant = Annotated[str | None, typer.Option("--merchant", help="Of this merchant only.")]
OnTerminal = Annotated[str | None, typer.Option("--terminal", help="On this ADDRESS:PORT only.")]
TimeZone = Annotated[
    str | None,
    typer.Option("--time-zone", help="Whose days; by default the installation's."),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, amounts in cents.")]


def _amount(name: str) -> Column:
    return Column(f"{name} EUR", lambda row: _sum(row, name), "right", is_whole=True)


def _sum(row: "Row", name: str) -> str:
    """Return `3 = 37.50`, nothing for none."""
    prefix = "" if name == "done" else f"{name}_"
    count = row[f"{prefix}count"]
    return f"{count} = {bare_euros(row[f'{prefix}cents'])}" if count or name == "done" else ""


def _columns(by: str) -> tuple[Column, ...]:
    """Return all columns; where a terminal is named, its merchant leaves a narrow table."""
    return (
        Column("day", "day", is_whole=True),
        Column("merchant", "merchant_id", is_whole=True, leaves=0 if "merchant" in by else 1),
        Column("terminal", lambda row: row.get("terminal_id") or row.get("terminal_address"), is_whole=True),
        Column("app", "application", is_whole=True),
        Column("", "application_name", leaves=2),
        Column("operation", "operation", is_whole=True),
        _amount("done"),
        _amount("open"),
        _amount("contradicted"),
    )


def show_totals(
    first: FirstDay,
    last: LastDay = None,
    by: Annotated[
        str,
        typer.Option(
            help="Group by these, with commas between: day, merchant, terminal, application, operation."
        ),
    ] = "day,terminal,application,operation",
    merchant: OfMerchant = None,
    terminal: OnTerminal = None,
    time_zone: TimeZone = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show counts and sums of payments: done, open (in session or in doubt), contradicted by a proof."""
    from cli.remote.client import api

    query = {
        "from": first,
        "to": last,
        "by": by,
        "merchant": merchant,
        "terminal_address": terminal,
        "time_zone": time_zone,
    }
    with api() as server:
        if as_csv:
            for line in server.lines("/v1/operator/totals", **query, format="csv"):
                print(line, end="")
            return
        found = server.get("/v1/operator/totals", **query)["totals"]
    shown = [column for column in _columns(by) if any(column.of(row) for row in found)]
    print_rows(found, shown, as_json=as_json, nothing="There were no payments.")
