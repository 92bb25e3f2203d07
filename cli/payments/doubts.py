"""Command `cloud-terminal doubts`."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.remote.output import AsJson, Column, Rows, euros, print_rows, short_time

if TYPE_CHECKING:
    from cli.remote.output import Row


def _of_payment(name: str) -> Any:
    return lambda row: row["payment"].get(name)


def _since(row: "Row") -> str:
    payment = row["payment"]
    return short_time(payment.get("doubted_at") or payment["created_at"])[:16]


def _decision(row: "Row") -> str:
    left = row.get("decision_in_seconds")
    if left is None:
        return "final"
    if left["not_charged"] <= 0:
        return "any, now"
    if left["charged"] <= 0:
        return f"charged now, not in {left['not_charged']:.0f} s"
    return f"in {left['charged']:.0f} s"


_COLUMNS: Final = (
    Column("payment", _of_payment("id"), is_whole=True),
    Column("since (UTC)", _since),
    Column("amount", lambda row: euros(row["payment"]["amount"], row["payment"]["currency"]), "right"),
    Column("terminal", "terminal_address", leaves=1),
    Column("may decide", _decision),
)


def list_doubts(
    contradictions: Annotated[
        bool,
        typer.Option("--contradictions", help="Payments whose final state a proof contradicts, instead."),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            help="After a restore: the backup's moment, 2026-03-05T02:00:00+01:00. Put in doubt what was "
            "open then, and lock orders of the hours before. On the machine, while no process runs."
        ),
    ] = None,
    hours: Annotated[
        float, typer.Option(min=0, help="With --since: how long before it failed orders are locked.")
    ] = 24,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List payments in doubt, the oldest first, with the times from which each may be decided.

    `payments resolve` decides one, `payments show` has all that is known of it.
    """
    if since is not None:
        from cli.payments.restored import mark_since

        mark_since(since, hours, as_json)
        return
    from cli.remote.client import api

    path = f"/v1/operator/{'contradictions' if contradictions else 'doubts'}"
    nothing = "No evidence contradicts a payment." if contradictions else "No payment is in doubt."
    with api() as server:
        print_rows(server.pages(path, "payments", limit), _COLUMNS, as_json=as_json, nothing=nothing)
