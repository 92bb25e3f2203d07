"""Command `cloud-terminal payments export`."""

from enum import StrEnum
from typing import Annotated

import typer


class Form(StrEnum):
    """The form of an export."""

    CSV = "csv"
    JSON_LINES = "jsonl"


def export_payments(
    form: Annotated[Form, typer.Option("--format", help="CSV, or one JSON object a line.")] = Form.CSV,
    merchant: Annotated[str | None, typer.Option(help="Of this merchant only.")] = None,
    terminal: Annotated[str | None, typer.Option(help="On this ADDRESS:PORT only.")] = None,
    state: Annotated[str | None, typer.Option(help="In this state only.")] = None,
    operation: Annotated[str | None, typer.Option(help="debit, reversal or credit only.")] = None,
    created_from: Annotated[
        str | None, typer.Option("--from", help="Accepted at this time or later: 2026-03-05T00:00:00+01:00.")
    ] = None,
    created_to: Annotated[str | None, typer.Option("--to", help="Accepted before this time.")] = None,
) -> None:
    """Write every payment that fits to standard output, the oldest first; any number of them.

    Exit code 1 if the export was cut off: then it is not whole.
    """
    from cli.remote.client import api

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
        for line in lines:
            print(line, end="")
