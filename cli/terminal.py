"""`cloud-terminal terminal`."""

from datetime import time
from pathlib import Path
from typing import Annotated

import typer

from cli.process import EXIT_USAGE, fail
from sandbox.cards import DECK
from sandbox.terminal.device.device import DEFAULT_PORT, REQUEST_IDLE_SECONDS, WhenBusy
from sandbox.terminal.script.behaviour import Customer, Fault
from sandbox.terminal.script.outcomes import OUTCOMES

_SERVING = "Where it listens"
_CUSTOMER = "What customer and bank do"
_DEVICE = "What kind of terminal it is"

#: Below the options.
EPILOG = "\n".join(
    [
        "Behaviours (--behaviour), and the last two digits of an amount that choose them:",
        *(f"{row.ending or '--'}  {row.name}: {row.meaning}" for row in OUTCOMES),
    ]
)


def run_terminal(
    host: Annotated[
        str,
        typer.Option(
            help="Where it listens; any 127.x.y.z for a till on this machine.", rich_help_panel=_SERVING
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", rich_help_panel=_SERVING)] = DEFAULT_PORT,
    screen_port: Annotated[
        int | None,
        typer.Option(
            help="Screen and control API over HTTP, e.g. 8889; 0 takes a free one. Without it: none.",
            rich_help_panel=_SERVING,
        ),
    ] = None,
    screen_host: Annotated[
        str,
        typer.Option(help="Where the screen listens. It asks nobody who they are.", rich_help_panel=_SERVING),
    ] = "127.0.0.1",
    record: Annotated[
        Path | None,
        typer.Option(help="File that gets one JSON line a session.", rich_help_panel=_SERVING),
    ] = None,
    outcome: Annotated[
        Customer,
        typer.Option(help="What customer and bank do; abandon is the red button.", rich_help_panel=_CUSTOMER),
    ] = Customer.APPROVE,
    outcome_for: Annotated[
        list[str] | None,
        typer.Option(
            help="Another outcome for one amount in cents, e.g. 1300=refuse; repeatable.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = None,
    behaviour: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="For every payment; listed below; repeatable.", rich_help_panel=_CUSTOMER
        ),
    ] = None,
    amount_table: Annotated[
        bool,
        typer.Option(
            help="The last two digits of an amount choose a behaviour, as listed below.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = True,
    by_hand: Annotated[
        bool,
        typer.Option("--by-hand", help="Card and keys are pressed on the screen.", rich_help_panel=_CUSTOMER),
    ] = False,
    delay: Annotated[
        float,
        typer.Option(
            help="Seconds from the request to the customer's card; 0 answers at once.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = 3.0,
    card: Annotated[
        str | None,
        typer.Option(
            help=f"The customer's card: {', '.join(one.key for one in DECK)}.", rich_help_panel=_CUSTOMER
        ),
    ] = None,
    contactless: Annotated[
        bool, typer.Option(help="The card is held to the terminal.", rich_help_panel=_CUSTOMER)
    ] = False,
    fault: Annotated[
        Fault | None, typer.Option(help="What goes wrong in every transaction.", rich_help_panel=_CUSTOMER)
    ] = None,
    fault_for: Annotated[
        int | None,
        typer.Option(
            help="The fault only for this amount in cents; without it for every transaction.",
            rich_help_panel=_CUSTOMER,
        ),
    ] = None,
    floor_limit: Annotated[
        int,
        typer.Option(help="Cents above which an authorisation is asked for.", rich_help_panel=_DEVICE),
    ] = 3000,
    keeps_open: Annotated[
        bool,
        typer.Option(
            help="Leave the connection open after the answer; else the terminal closes it.",
            rich_help_panel=_DEVICE,
        ),
    ] = False,
    when_busy: Annotated[
        str,
        typer.Option(
            help="A second request: 'answer' says busy at once, 'backlog' lets it wait.",
            rich_help_panel=_DEVICE,
        ),
    ] = "answer",
    request_idle: Annotated[
        float,
        typer.Option(
            help="Seconds without a byte that end a request without CR LF; 0: as soon as it is whole.",
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
    card_fields: Annotated[
        bool,
        typer.Option(help="AA, AI and CI are in answers; HiPay's leave them out.", rich_help_panel=_DEVICE),
    ] = True,
    terminal_time: Annotated[
        float,
        typer.Option(
            help="Seconds after which an amount that nobody pays is given up.", rich_help_panel=_DEVICE
        ),
    ] = 240.0,
    serial: Annotated[
        str | None,
        typer.Option(help="Its serial number, as its gateway knows it.", rich_help_panel=_DEVICE),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            help="URL of a payment gateway that is asked for authorisations; without one it plays the bank.",
            rich_help_panel=_DEVICE,
        ),
    ] = None,
    collect_at: Annotated[
        str | None,
        typer.Option(help="A remote collection each day at HH:MM.", rich_help_panel=_DEVICE),
    ] = None,
    collect_every: Annotated[
        float | None,
        typer.Option(help="A remote collection every so many seconds.", min=1, rich_help_panel=_DEVICE),
    ] = None,
) -> None:
    """Play a payment terminal: Concert V3.1 and V3.2 over TCP, with a customer.

    Takes debits, reversals, credits, duplicates, identifications and remote collections from any client, one
    transaction at a time. Ends at SIGTERM or Ctrl-C.
    """
    from sandbox.terminal.gateway.collection import Schedule
    from sandbox.terminal.main import CannotListen, run
    from sandbox.terminal.script.outcomes import UnknownOutcome

    def say_where(bound_host: str, bound_port: int) -> None:
        typer.echo(f"Terminal is listening on {bound_host}:{bound_port} (Concert V3.1 and V3.2).")

    def say_screen(bound_host: str, bound_port: int) -> None:
        typer.echo(f"Its screen and control API: http://{bound_host}:{bound_port}/")

    if card is not None and card not in {one.key for one in DECK}:
        raise fail(f"--card {card}: no such card in the deck.", EXIT_USAGE)
    try:
        run(
            host=host,
            port=port,
            screen_host=screen_host,
            screen_port=screen_port,
            outcome=outcome,
            outcome_by_amount=_outcomes(outcome_for or []),
            behaviours=behaviour or [],
            amount_decides=amount_table,
            by_hand=by_hand,
            delay_seconds=delay,
            card=card,
            floor_limit_cents=floor_limit,
            contactless=contactless,
            keeps_open=keeps_open,
            when_busy=_when_busy(when_busy),
            fault=fault,
            fault_amount_cents=fault_for,
            request_idle_seconds=request_idle,
            requires_line_end=requires_line_end,
            sends_card_fields=card_fields,
            terminal_time_seconds=terminal_time,
            serial=serial,
            gateway_url=gateway,
            schedule=Schedule(_time_of_day(collect_at), collect_every),
            record_path=record,
            on_listening=say_where,
            on_screen=say_screen,
        )
    except UnknownOutcome as error:
        raise fail(f"--behaviour: {error}.", EXIT_USAGE) from error
    except CannotListen as error:
        raise fail(f"Cannot listen on {error}.", EXIT_USAGE) from error


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
