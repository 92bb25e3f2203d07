"""Command `cloud-terminal virtual-terminal`."""

from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Annotated

import typer

from cli.process import EXIT_USAGE, fail
from sandbox.cards import DECK
from sandbox.terminal.device.device import DEFAULT_PORT, REQUEST_IDLE_SECONDS, Device, WhenBusy
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.script.outcomes import OUTCOMES, UnknownOutcome, outcome_named

app = typer.Typer(add_completion=False)

_SERVING = "Addresses"
_CUSTOMER = "Customer and bank"
_DEVICE = "Terminal"

#: Below the options.
EPILOG = "\n".join(
    [
        "Behaviours (--behaviour), and the last two digits of an amount that choose them:",
        *(f"{row.ending or '--'}  {row.name}: {row.meaning}" for row in OUTCOMES),
    ]
)


@app.command(epilog=EPILOG)
def run_terminal(
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on; any 127.x.y.z for a POS on this machine.",
            rich_help_panel=_SERVING,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="0 takes a free one.", rich_help_panel=_SERVING)
    ] = DEFAULT_PORT,
    screen_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="Port of screen and control API over HTTP, e.g. 8889; 0 takes a free one. By default none.",
            rich_help_panel=_SERVING,
        ),
    ] = None,
    screen_host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address that the screen listens on. It has no log-in.",
            rich_help_panel=_SERVING,
        ),
    ] = "127.0.0.1",
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File for one JSON line a session.", rich_help_panel=_SERVING),
    ] = None,
    outcome: Annotated[
        Customer,
        typer.Option(
            metavar="OUTCOME",
            help=f"Result of every payment: {', '.join(Customer)} (the red button).",
            rich_help_panel=_CUSTOMER,
        ),
    ] = Customer.APPROVE,
    outcome_for: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CENTS=OUTCOME",
            help="Another result for one amount in cents, e.g. 1300=refuse; repeatable.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = None,
    behaviour: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Behaviour of every payment, listed below; repeatable.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = None,
    no_amount_table: Annotated[
        bool,
        typer.Option(
            "--no-amount-table",
            help="The last two digits of an amount choose no behaviour; else they do, as listed below.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = False,
    by_hand: Annotated[
        bool,
        typer.Option("--by-hand", help="Card and keys come from the screen.", rich_help_panel=_CUSTOMER),
    ] = False,
    delay: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Seconds from the request to the customer's card; 0 answers at once.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = 3.0,
    card: Annotated[
        str | None,
        typer.Option(
            metavar="CARD",
            help=f"The customer's card: {', '.join(one.key for one in DECK)}.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = None,
    contactless: Annotated[
        bool, typer.Option("--contactless", help="The card is read contactless.", rich_help_panel=_CUSTOMER)
    ] = False,
    fault: Annotated[
        Fault | None,
        typer.Option(
            metavar="FAULT",
            help=f"A fault in every transaction: {', '.join(Fault)}.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = None,
    fault_for: Annotated[
        int | None,
        typer.Option(
            metavar="CENTS",
            help="Amount in cents that has the fault; by default every amount.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = None,
    floor_limit: Annotated[
        int,
        typer.Option(
            metavar="CENTS",
            help="Amount in cents above which an authorisation is requested.",
            rich_help_panel=_DEVICE,
        ),
    ] = 3000,
    keeps_open: Annotated[
        bool,
        typer.Option(
            "--keeps-open",
            help="Leave the connection open after the answer; else the terminal closes it.",
            rich_help_panel=_DEVICE,
        ),
    ] = False,
    when_busy: Annotated[
        str,
        typer.Option(
            metavar="WORD",
            help="For a second request: 'answer' busy at once, 'backlog' lets it wait.",
            rich_help_panel=_DEVICE,
        ),
    ] = "answer",
    request_idle: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Seconds of silence that end a request without CR LF; 0: as soon as it is complete.",
            min=0,
            rich_help_panel=_DEVICE,
        ),
    ] = REQUEST_IDLE_SECONDS,
    requires_line_end: Annotated[
        bool,
        typer.Option(
            "--requires-line-end", help="Reject requests that CR LF does not follow.", rich_help_panel=_DEVICE
        ),
    ] = False,
    no_card_fields: Annotated[
        bool,
        typer.Option(
            "--no-card-fields",
            help="Leave AA, AI and CI out of answers, as HiPay's terminals do.",
            rich_help_panel=_DEVICE,
        ),
    ] = False,
    terminal_time: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Seconds after which an unpaid amount is abandoned.",
            rich_help_panel=_DEVICE,
        ),
    ] = 240.0,
    serial: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Its serial number at the gateway.", rich_help_panel=_DEVICE),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="URL of a payment gateway for authorisations; without one the terminal decides itself.",
            rich_help_panel=_DEVICE,
        ),
    ] = None,
    collect_at: Annotated[
        str | None,
        typer.Option(
            metavar="HH:MM", help="Time (HH:MM) of a daily remote collection.", rich_help_panel=_DEVICE
        ),
    ] = None,
    collect_every: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Seconds between remote collections.", min=1, rich_help_panel=_DEVICE
        ),
    ] = None,
) -> None:
    """Run a virtual payment terminal with a customer: Concert V3.1 and V3.2 over TCP.

    Accepts debits, reversals, credits, duplicates, identifications and remote
    collections from any client, one transaction at a time. Ends at SIGTERM or
    Ctrl-C.
    """
    from sandbox.terminal.gateway.collection import Schedule
    from sandbox.terminal.gateway.link import Gateway
    from sandbox.terminal.main import CannotListen, run
    from sandbox.terminal.server.server import VirtualTerminal

    def print_address(bound_host: str, bound_port: int) -> None:
        typer.echo(f"Terminal is listening on {bound_host}:{bound_port} (Concert V3.1 and V3.2).")

    def print_screen_address(bound_host: str, bound_port: int) -> None:
        typer.echo(f"Its screen and control API: http://{bound_host}:{bound_port}/")

    if card is not None and card not in {one.key for one in DECK}:
        raise fail(f"--card {card}: unknown card; see --help for the names.", EXIT_USAGE)
    usual = Behaviour(
        customer=outcome,
        delay_seconds=delay,
        contactless=contactless,
        card=card,
        fault=fault if fault_for is None else None,
        keeps_open=keeps_open,
        amount_decides=not no_amount_table,
    )
    usual = _changed(usual, behaviour or [])
    by_amount = {
        amount: replace(usual, customer=customer) for amount, customer in _outcomes(outcome_for or []).items()
    }
    if fault_for is not None:
        by_amount[fault_for] = replace(by_amount.get(fault_for, usual), fault=fault)
    device = Device(
        floor_limit_cents=floor_limit,
        sends_card_fields=not no_card_fields,
        when_busy=_when_busy(when_busy),
        request_idle_seconds=request_idle,
        requires_line_end=requires_line_end,
        terminal_time_seconds=terminal_time,
    )
    schedule = Schedule(_time_of_day(collect_at), collect_every)

    def make_terminal(payment_gateway: Gateway | None) -> VirtualTerminal:
        return VirtualTerminal(
            host,
            port,
            behaviour=usual,
            by_amount=by_amount,
            device=device if serial is None else replace(device, serial=serial),
            gateway=payment_gateway,
            by_hand=by_hand,
            schedule=schedule,
            record_path=record,
        )

    try:
        run(
            make_terminal,
            gateway_url=gateway,
            screen=None if screen_port is None else (screen_host, screen_port),
            on_listening=print_address,
            on_screen=print_screen_address,
        )
    except CannotListen as error:
        raise fail(f"Cannot listen on {error}.", EXIT_USAGE) from error


def _changed(usual: Behaviour, names: list[str]) -> Behaviour:
    try:
        for name in names:
            usual = outcome_named(name).applied_to(usual)
    except UnknownOutcome as error:
        raise fail(f"--behaviour: {error}.", EXIT_USAGE) from error
    return usual


def _outcomes(texts: list[str]) -> dict[int, Customer]:
    chosen = {}
    for text in texts:
        amount, _, word = text.partition("=")
        try:
            chosen[int(amount)] = Customer(word)
        except ValueError as error:
            words = ", ".join(Customer)
            raise fail(f"--outcome-for {text}: write AMOUNT=OUTCOME, one of {words}.", EXIT_USAGE) from error
    return chosen


def _time_of_day(text: str | None) -> time | None:
    try:
        return None if text is None else time.fromisoformat(text)
    except ValueError as error:
        raise fail(f"--collect-at {text}: write it like 02:30.", EXIT_USAGE) from error


def _when_busy(word: str) -> WhenBusy:
    match word:
        case "answer" | "backlog":
            return word
        case _:
            raise fail(f"--when-busy {word}: write answer or backlog.", EXIT_USAGE)
