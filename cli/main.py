"""The command `cloud-terminal`: every verb is a module of its own and imports its root when it is called."""

from importlib.util import find_spec

import typer

from cli import (
    all_in_one,
    api,
    broker,
    credential,
    merchant,
    migrate,
    notifier_worker,
    terminal_worker,
)

app = typer.Typer(
    name="cloud-terminal",
    help="Cloud API for standalone payment terminals: HTTP in, a Concert session out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
merchants = typer.Typer(help="The merchants whose terminals are driven.", no_args_is_help=True)
credentials = typer.Typer(help="Names and secrets for HTTP Basic.", no_args_is_help=True)

app.command("api")(api.run_api)
app.command("terminal-worker")(terminal_worker.run_terminal_worker)
app.command("notifier-worker")(notifier_worker.run_notifier_worker)
app.command("all-in-one")(all_in_one.run_all_in_one)
app.command("migrate")(migrate.run_migrations)
app.command("broker-definitions")(broker.print_definitions)
merchants.command("create")(merchant.create)
merchants.command("networks")(merchant.networks)
merchants.command("unknown-orders")(merchant.unknown_orders)
merchants.command("suspend")(merchant.suspend)
merchants.command("resume")(merchant.resume)
credentials.command("create")(credential.create)
credentials.command("revoke")(credential.revoke)
app.add_typer(merchants, name="merchant")
app.add_typer(credentials, name="credential")

# The image for production is made without what plays the systems around us.
if find_spec("sandbox") is not None:
    from cli import sandbox, terminal

    app.command("terminal", epilog=terminal.EPILOG)(terminal.run_terminal)
    app.add_typer(sandbox.app, name="sandbox")


def main() -> None:
    """Run the command line."""
    app()
