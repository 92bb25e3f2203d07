"""Commands `cloud-terminal sandbox`: the systems around the API, to try it and to test against."""

import json
from typing import Annotated

import typer

from cli.sandbox.run import prepare, run_sandbox, serve

app = typer.Typer(add_completion=False)
app.callback(invoke_without_command=True)(run_sandbox)
app.command("prepare")(prepare)
app.command("serve")(serve)


@app.command("outcomes")
def print_outcomes(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the virtual terminal's scripts of payments, chosen by the amount's last two digits or by name."""
    from rich.console import Console
    from rich.table import Table

    from sandbox.terminal.script.outcomes import OUTCOMES

    if as_json:
        for row in OUTCOMES:
            shown = {"ending": row.ending, "name": row.name, "meaning": row.meaning, "charged": row.charged}
            print(json.dumps(shown))
        return
    table = Table("amount ends in", "name", "what happens", "card charged", show_lines=False)
    for row in OUTCOMES:
        table.add_row(row.ending or "", row.name, row.meaning, "yes" if row.charged else "no")
    console = Console()
    console.print(table)
    console.print(
        "By amount: 12.51 is refused_51. By name: cloud-terminal virtual-terminal --behaviour NAME,"
    )
    console.print('or for the next payments only: POST /script {"next": ["NAME", ...]} at its --screen-port.')
