"""Command `cloud-terminal totals compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.remote.output import AsJson, Column, bare_euros, print_rows
from cli.totals.show import FirstDay, LastDay, OfMerchant, OnTerminal, TimeZone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.remote.client import Api
    from cli.remote.output import Row
    from cli.totals.csv_file import SumsFile, TransactionsFile

#: The two sides differ.
EXIT_DIFFERENT: Final = 6

_SUM_COLUMNS: Final = (
    Column("group", lambda row: " ".join(row["group"].values()), is_whole=True),
    Column("finding", "finding", is_whole=True),
    Column("here EUR", lambda row: _sum(row["ours"]["done"]), "right", is_whole=True),
    Column("there EUR", lambda row: _sum(row["theirs"]), "right", is_whole=True),
    Column("difference", lambda row: _signed(row["difference_cents"]), "right", is_whole=True, leaves=1),
    Column("open here", lambda row: _sum(row["ours"]["open"]), "right", is_whole=True),
    Column("contradicted", lambda row: _sum(row["ours"]["contradicted"]), "right", is_whole=True),
)
_TRANSACTION_COLUMNS: Final = (
    Column("finding", "finding", is_whole=True),
    Column("operation", lambda row: _either(row, "operation"), is_whole=True),
    Column("EUR", lambda row: bare_euros(_either(row, "cents")), "right", is_whole=True),
    Column("day", lambda row: _either(row, "day"), is_whole=True, leaves=1),
    Column("authorisation", lambda row: _either(row, "authorisation_number"), is_whole=True, leaves=2),
    Column("here", lambda row: _name(row, "ours"), is_whole=True),
    Column("there", lambda row: _name(row, "theirs"), is_whole=True),
)


def compare_file(
    file: Annotated[
        Path,
        typer.Option("--csv", help="The other side's figures.", exists=True, dir_okay=False, readable=True),
    ],
    first: FirstDay,
    last: LastDay = None,
    merchant: OfMerchant = None,
    terminal: OnTerminal = None,
    time_zone: TimeZone = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what is equal, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare with a file of the acquirer's or the terminal's figures, to the cent.

    A file of sums has the columns count and amount (euros) or cents, and any
    of day, merchant, terminal, application, operation. A file of transactions
    has amount or cents, and any of day, terminal, operation, order_id,
    authorisation_number, card. Exit code 6 if the sides differ.
    """
    from cli.process import EXIT_USAGE, fail
    from cli.remote.client import api
    from cli.totals.csv_file import SumsFile, UnreadableFile, read_file

    try:
        theirs = read_file(file.read_bytes())
    except UnreadableFile as error:
        raise fail(f"{file}:\n{error}", EXIT_USAGE) from error
    query = {
        "from": first,
        "to": last,
        "merchant": merchant,
        "terminal_address": terminal,
        "time_zone": time_zone,
    }
    with api() as server:
        if isinstance(theirs, SumsFile):
            rows, columns = _compared_sums(server, theirs, query), _SUM_COLUMNS
        else:
            rows, columns = _compared_transactions(server, theirs, query), _TRANSACTION_COLUMNS
    different = [row for row in rows if row["finding"] != "equal"]
    listed = rows if everything else different
    shown = [column for column in columns if any(column.of(row) for row in listed)]
    print_rows(listed, shown, as_json=as_json, nothing="Both sides are equal.")
    if not as_json:
        print(f"\n{len(rows) - len(different)} equal, {len(different)} not.")
    if different:
        raise typer.Exit(EXIT_DIFFERENT)


def _compared_sums(server: "Api", theirs: "SumsFile", query: dict[str, Any]) -> "list[Row]":
    from dataclasses import asdict

    from shared.payment.reconciliation import NOTHING_OF_OURS, OurSum, compare_sums
    from shared.payment.reconciliation import Sum as Figures

    found = server.get("/v1/operator/totals", **query, by=",".join(theirs.columns))["totals"]
    terminals = {
        value
        for group in theirs.sums
        for name, value in zip(theirs.columns, group, strict=True)
        if name == "terminal"
    }
    ours: dict[tuple[str, ...], OurSum] = {}
    for row in found:
        group = tuple(_group_value(name, row, terminals) for name in theirs.columns)
        # One group of the file may be several here: two merchants at one terminal.
        ours[group] = ours.get(group, NOTHING_OF_OURS) + OurSum(
            done=Figures(row["count"], row["cents"]),
            open=Figures(row["open_count"], row["open_cents"]),
            contradicted=Figures(row["contradicted_count"], row["contradicted_cents"]),
        )
    return [
        {
            **asdict(one),
            "group": dict(zip(theirs.columns, one.group, strict=True)),
            "difference_cents": one.difference_cents,
        }
        for one in compare_sums(ours, theirs.sums)
    ]


def _group_value(name: str, row: "Row", terminals: set[str]) -> str:
    if name == "terminal":
        # As the file names it: by its id or by its address.
        registered = row.get("terminal_id")
        return registered if registered in terminals else row.get("terminal_address") or ""
    return row.get("merchant_id" if name == "merchant" else name) or ""


def _compared_transactions(server: "Api", theirs: "TransactionsFile", query: dict[str, Any]) -> "list[Row]":
    from dataclasses import asdict

    from shared.payment.reconciliation import compare_transactions

    terminals = {one.terminal for one in theirs.transactions if one.terminal is not None}
    ours = _our_transactions(server, query, terminals)
    return [asdict(one) for one in compare_transactions(ours, theirs.transactions)]


def _our_transactions(server: "Api", query: dict[str, Any], terminals: set[str]) -> "Iterable[Any]":
    """Return the payments of the days that moved money, or may have."""
    import json
    from datetime import date, datetime, time, timedelta
    from zoneinfo import ZoneInfo

    from cli.remote.progress import counted
    from shared.payment.reconciliation import Transaction

    period = server.get("/v1/operator/totals", **query, by="operation")
    zone = ZoneInfo(period["time_zone"])
    first, last = date.fromisoformat(period["from"]), date.fromisoformat(period["to"])
    # A payment is accepted before its transaction, some minutes at the most.
    created_from = datetime.combine(first - timedelta(days=1), time(), zone)
    created_to = datetime.combine(last + timedelta(days=1), time(), zone)
    lines = server.lines(
        "/v1/operator/payments/export",
        format="jsonl",
        merchant=query["merchant"],
        terminal_address=query["terminal_address"],
        created_from=created_from.isoformat(),
        created_to=created_to.isoformat(),
    )
    for line in counted("payments compared:", lines):
        row = json.loads(line)
        day = datetime.fromisoformat(row["at"]).astimezone(zone).date()
        is_undecided = row["contradicted"] or row["state"] in ("in_session", "in_doubt")
        if not (first <= day <= last and (is_undecided or row["state"] == "succeeded")):
            continue
        yield Transaction(
            name=row["id"],
            operation=row["operation"],
            cents=row["amount"],
            day=day.isoformat(),
            terminal=_group_value("terminal", row, terminals) or None,
            order_id=row["order_id"],
            authorisation_number=row.get("authorisation_number"),
            card_last_four=row.get("masked_card", "")[-4:] or None,
            is_undecided=is_undecided,
        )


def _sum(figures: "Row") -> str:
    return f"{figures['count']} = {bare_euros(figures['cents'])}" if figures["count"] else ""


def _signed(cents: int) -> str:
    return f"{'-' if cents < 0 else '+'}{bare_euros(abs(cents))}" if cents else ""


def _either(row: "Row", name: str) -> Any:
    sides = [row[side] for side in ("ours", "theirs") if row[side] is not None]
    return next((side[name] for side in sides if side[name] is not None), None)


def _name(row: "Row", side: str) -> str | None:
    return None if row[side] is None else row[side]["name"]
