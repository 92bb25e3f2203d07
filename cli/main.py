"""The command `cloud-terminal` and its verbs; a verb imports what it runs when it is called."""

from importlib.util import find_spec

import typer

from cli import (
    all_in_one,
    broker,
    credential,
    merchant,
    migrate,
    services,
)

app = typer.Typer(
    name="cloud-terminal",
    help="Cloud API for payment terminals: an HTTP order becomes a Concert session.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
merchants = typer.Typer(help="Merchants and the networks of their terminals.", no_args_is_help=True)
credentials = typer.Typer(help="User names and secrets for HTTP Basic.", no_args_is_help=True)

app.command("api")(services.run_api)
app.command("terminal-worker")(services.run_terminal_worker)
app.command("notifier-worker")(services.run_notifier_worker)
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

# The production image does not contain the sandbox.
if find_spec("sandbox") is not None:
    from cli import sandbox, terminal

    app.command("terminal", epilog=terminal.EPILOG)(terminal.run_terminal)
    app.add_typer(sandbox.app, name="sandbox")


def main() -> None:
    """Run the command line."""
    app()
