"""Commands `cloud-terminal totals`."""

import typer

from cli.totals.compare_command import compare_file
from cli.totals.show import show_totals

app = typer.Typer(
    help="Totals by day, terminal, application and operation; compare them with a file.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("show")(show_totals)
app.command("compare")(compare_file)
