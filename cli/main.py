"""The command `cloud-terminal`: its verbs, each in a module of its own."""

from importlib.util import find_spec
from typing import Annotated, Final

import typer

from cli.verbs import LazyVerbs, Verb

PROCESSES: Final = "Processes"
INSTALLATION: Final = "Installation"
MERCHANTS: Final = "Administration"
PAYMENTS: Final = "Payments"
SANDBOX: Final = "Sandbox"

VERBS: Final = (
    Verb("api", "cli.services:run_api", "Serve the HTTP API.", PROCESSES),
    Verb(
        "terminal-worker",
        "cli.services:run_terminal_worker",
        "Take payments from the queue and run their terminal sessions.",
        PROCESSES,
    ),
    Verb(
        "notifier-worker",
        "cli.services:run_notifier_worker",
        "Push order notifications to HiPay and webhooks to merchants.",
        PROCESSES,
    ),
    Verb(
        "all-in-one",
        "cli.all_in_one:run_all_in_one",
        "Run API, terminal worker and notifier worker of one small shop on this machine.",
        PROCESSES,
    ),
    Verb(
        "config",
        "cli.installation.config:show_settings",
        "Show each setting: its value, source, default and reason.",
        INSTALLATION,
    ),
    Verb(
        "db",
        "cli.installation.db:app",
        "The database: its schema's version, and migrations to this release's.",
        INSTALLATION,
    ),
    Verb(
        "doctor",
        "cli.doctor.command:run_doctor",
        "Check settings, database, broker and network of an installation; change nothing.",
        INSTALLATION,
    ),
    Verb(
        "erase",
        "cli.installation.erase:erase_customer_data",
        "Erase the customer data of an order; amounts, states and authorisation numbers stay.",
        INSTALLATION,
    ),
    Verb(
        "purge",
        "cli.installation.purge:purge",
        "Delete payments and deliveries that are older than the settings say, in short steps.",
        INSTALLATION,
    ),
    Verb(
        "openapi",
        "cli.installation.openapi:print_document",
        "Print the API's OpenAPI document as JSON.",
        INSTALLATION,
    ),
    Verb(
        "broker-definitions",
        "cli.installation.broker:print_definitions",
        "Print RabbitMQ's definitions: an account for each kind of process, and the queues.",
        INSTALLATION,
    ),
    Verb(
        "payments",
        "cli.payments.app:app",
        "Payments: pay, follow and find them; their history and evidence, and decisions on doubts.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "doubts",
        "cli.payments.doubts:list_doubts",
        "List payments in doubt, the oldest first, with the times from which each may be decided.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "totals",
        "cli.totals.app:app",
        "Totals by day, terminal, application and operation; compare them with a file.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "listen",
        "cli.listen.command:listen",
        "Forward webhooks to your machine, as they come, and again by a key.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "terminals",
        "cli.fleet.terminals:app",
        "Terminals of all merchants: who has each since when, and how it does.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "deliveries",
        "cli.fleet.deliveries:app",
        "Order notifications and webhooks: list, show, send once more.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "webhooks",
        "cli.fleet.webhooks:app",
        "A merchant's webhook endpoints: list them, send a test event.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "events",
        "cli.listen.tail:app",
        "Events of a merchant's payments, as they come.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "top",
        "cli.fleet.top:show_top",
        "Show the installation live: open payments, busy terminals, the last minute, workers.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "workers",
        "cli.fleet.workers:app",
        "Terminal workers: whether each lives, and its end.",
        PAYMENTS,
        calls_api=True,
    ),
    Verb(
        "onboard",
        "cli.onboarding.command:app",
        "A retailer's shops from one file: checked whole, stored whole.",
        MERCHANTS,
    ),
    Verb(
        "merchants",
        "cli.administration.merchants:app",
        "Merchants and the networks of their terminals.",
        MERCHANTS,
        calls_api=True,
    ),
    Verb(
        "credentials",
        "cli.administration.credentials:app",
        "User names and secrets for HTTP Basic.",
        MERCHANTS,
        calls_api=True,
    ),
    Verb(
        "operators",
        "cli.administration.credentials:operators",
        "Operators: their credentials with the roles read, settle and admin.",
        MERCHANTS,
        calls_api=True,
    ),
    Verb(
        "audit",
        "cli.administration.audit:show_audit_trail",
        "List what operators did, the newest first; nothing can change it.",
        MERCHANTS,
        calls_api=True,
    ),
)
#: The production image does not contain the sandbox.
SANDBOX_VERBS: Final = (
    Verb(
        "virtual-terminal",
        "cli.sandbox.virtual_terminal:app",
        "Run a virtual payment terminal with a customer: Concert V3.1 and V3.2 over TCP.",
        SANDBOX,
    ),
    Verb(
        "sandbox",
        "cli.sandbox.command:app",
        "Run everything on this machine: API, workers, terminal, register, gateway, banks, HiPay, shop.",
        SANDBOX,
    ),
)


class CloudTerminal(LazyVerbs):
    """The command line's verbs."""

    verbs = VERBS + (SANDBOX_VERBS if find_spec("sandbox") is not None else ())


app = typer.Typer(
    name="cloud-terminal",
    cls=CloudTerminal,
    help="Cloud API for payment terminals: an HTTP order becomes a Concert session.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cloud-terminal {version('cloud-terminal')}")
        raise typer.Exit


@app.callback()
def of_every_verb(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that stand before a verb."""


def main() -> None:
    """Run the command line, under its own name also as `python -m cli`."""
    app(prog_name="cloud-terminal")
