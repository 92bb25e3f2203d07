"""Command `cloud-terminal config`."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.settings.report import ReportedSetting


def show_settings(
    name: Annotated[
        str | None, typer.Argument(help="Part of a setting's name, e.g. database; by default all.")
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only those that differ from the default.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show each setting: its value, source, default and reason.

    Secrets are hidden. Settings that a process would refuse to start with are
    named instead, with exit code 2.
    """
    import os
    from dataclasses import asdict

    from cli.process import EXIT_USAGE, fail, plain_errors
    from shared.settings.load import load_settings
    from shared.settings.report import report

    with plain_errors():
        found = report(load_settings(), os.environ)
    shown = [
        one for one in found if (name or "").upper() in one.variable and not (changed and one.is_default)
    ]
    if not shown and name is not None:
        raise fail(f"No setting has {name} in its name{' and is changed' if changed else ''}.", EXIT_USAGE)
    if as_json:
        for one in shown:
            print(json.dumps(asdict(one)))
    else:
        _show(shown)


def _show(settings: "Sequence[ReportedSetting]") -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console, group = Console(highlight=False), ""
    for one in settings:
        if one.group != group:
            console.print(Text(f"\n{one.group}", style="bold underline"))
            group = one.group
        line = Text.assemble((one.variable, "bold"), f" = {_word(one.value)}")
        if not one.is_default:
            line.append(f"  ({one.source}; default {_word(one.default)})", style="yellow")
        console.print(line, soft_wrap=True)
        console.print(Padding(Text(one.why.replace("`", ""), style="dim"), (0, 0, 0, 4)))


def _word(value: Any) -> str:
    if value is None:
        return "not set"
    return value or "empty" if isinstance(value, str) else json.dumps(value)
