"""Command `cloud-terminal doctor`."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cli.doctor.finding import Finding

_STYLES: Final = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def run_doctor(
    terminal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="Connect to this terminal too, and close at once; not while it is paid at. Repeatable.",
        ),
    ] = None,
    identify: Annotated[
        bool,
        typer.Option(
            "--identify",
            help="Ask each of these terminals for an identification, too: it charges nothing. Not while a"
            " payment has the terminal.",
        ),
    ] = False,
    management: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="RabbitMQ's management API, which shows policies; by default the broker's port 15672.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Check settings, database, broker and network of an installation; change nothing.

    Run it with the settings of the process in question, on its machine. Exit
    code 1 if there is a problem; warnings leave it 0.
    """
    from cli.doctor.finding import Level
    from cli.doctor.network_check import read_place
    from cli.process import EXIT_UNAVAILABLE, EXIT_USAGE, fail, run_on_loop

    for place in terminal or []:
        try:
            read_place(place)
        except ValueError:
            raise fail(f"--terminal {place}: write HOST or HOST:PORT.", EXIT_USAGE) from None
    asked = _Asked(tuple(terminal or ()), identify, management)
    findings = run_on_loop(_show_all(asked, as_json))
    problems = sum(one.level is Level.PROBLEM for one in findings)
    warnings = sum(one.level is Level.WARNING for one in findings)
    if not as_json:
        print(f"\nProblems: {problems}, warnings: {warnings}.")
    if problems:
        raise typer.Exit(EXIT_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Options beside the settings."""

    terminals: tuple[str, ...]
    identifies: bool
    management_url: str | None


async def _show_all(asked: _Asked, as_json: bool) -> "list[Finding]":
    """Show each finding as it is found: a server that does not answer takes its time."""
    found = []
    async for one in _findings(asked):
        found.append(one)
        _show(one, as_json)
    return found


async def _findings(asked: _Asked) -> "AsyncIterator[Finding]":
    import logging

    from cli.doctor.broker_check import check_broker
    from cli.doctor.database_check import check_database
    from cli.doctor.finding import Finding, Level
    from cli.doctor.identification_check import check_identification
    from cli.doctor.network_check import check_terminal
    from cli.doctor.password_check import check_passwords
    from cli.doctor.policy_check import check_policies
    from cli.doctor.receiver_check import check_hipay, check_webhooks
    from cli.doctor.settings_check import PART, check_settings
    from shared.runtime.logging import configure_logging
    from shared.settings.load import load_settings
    from shared.settings.settings import SettingsError

    try:
        settings = load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            yield Finding(PART, Level.PROBLEM, line, "Correct it: no process starts with it.")
        return
    # What libraries log about a failed try is in the findings.
    configure_logging(settings.log_format, "error", process="doctor")
    logging.disable(logging.CRITICAL)
    for one in (*check_settings(settings), *check_passwords(settings)):
        yield one
    has_database = True
    async for one in check_database(settings):
        has_database = has_database and one.level is not Level.PROBLEM
        yield one
    checks = [
        check_broker(settings),
        check_policies(settings, asked.management_url),
        check_hipay(settings),
        *([check_webhooks(settings)] if has_database else []),
        *(
            check_identification(settings, place, has_database=has_database)
            if asked.identifies
            else check_terminal(place)
            for place in asked.terminals
        ),
    ]
    for check in checks:
        async for one in check:
            yield one


def _show(finding: "Finding", as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        print(json.dumps(asdict(finding)), flush=True)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 2))
    row.add_column(width=7)
    row.add_column(width=8)
    row.add_column()
    row.add_row(
        Text(finding.level, style=_STYLES[finding.level]),
        finding.part,
        Text(f"{finding.fact}\nNext: {finding.fix}" if finding.fix else finding.fact),
    )
    Console(highlight=False).print(row)
