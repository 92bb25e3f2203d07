"""Command `cloud-terminal payments export`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

OfMerchant = Annotated[str | None, typer.Option(help="Of this merchant only.")]
OnTerminal = Annotated[str | None, typer.Option(help="On this ADDRESS:PORT only.")]
InState = Annotated[str | None, typer.Option(help="In this state only.")]
OfOperation = Annotated[str | None, typer.Option(help="debit, reversal or credit only.")]
CreatedFrom = Annotated[
    str | None, typer.Option("--from", help="Accepted at this time or later: 2026-03-05T00:00:00+01:00.")
]
CreatedTo = Annotated[str | None, typer.Option("--to", help="Accepted before this time.")]


class Form(StrEnum):
    """The form of an export."""

    CSV = "csv"
    JSON_LINES = "jsonl"


def export_payments(
    form: Annotated[Form, typer.Option("--format", help="CSV, or one JSON object a line.")] = Form.CSV,
    merchant: OfMerchant = None,
    terminal: OnTerminal = None,
    state: InState = None,
    operation: OfOperation = None,
    created_from: CreatedFrom = None,
    created_to: CreatedTo = None,
) -> None:
    """Write every payment that fits to standard output, the oldest first; any number of them.

    Exit code 1 if the export was cut off: then it is not whole.
    """
    from cli.remote.client import api
    from cli.remote.progress import counted

    with api() as server:
        lines = server.lines(
            "/v1/operator/payments/export",
            format=form.value,
            merchant=merchant,
            terminal_address=terminal,
            state=state,
            operation=operation,
            created_from=created_from,
            created_to=created_to,
        )
        # At a terminal the lines themselves show how far it is.
        shown = lines if sys.stdout.isatty() else counted("payments exported:", lines)
        for line in shown:
            print(line, end="")
