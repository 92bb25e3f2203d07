"""`cloud-terminal terminal`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.process import EXIT_USAGE, fail
from sandbox.terminal.behaviour import Customer, Fault
from sandbox.terminal.device import WhenBusy
from sandbox.terminal.server import DEFAULT_PORT


def run_terminal(
    host: Annotated[str, typer.Option(help="Where it listens; any 127.x.y.z for a till on this machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = DEFAULT_PORT,
    outcome: Annotated[
        Customer, typer.Option(help="What customer and bank do; abandon is the red button.")
    ] = Customer.APPROVE,
    outcome_for: Annotated[
        list[str] | None,
        typer.Option(help="Another outcome for one amount in cents, e.g. 1300=refuse; repeatable."),
    ] = None,
    delay: Annotated[
        float, typer.Option(help="Seconds from the request to the customer's card; 0 answers at once.")
    ] = 3.0,
    floor_limit: Annotated[int, typer.Option(help="Cents above which an authorisation is asked for.")] = 3000,
    contactless: Annotated[bool, typer.Option(help="The card is held to the terminal.")] = False,
    keeps_open: Annotated[
        bool, typer.Option(help="Leave the connection open after the answer; else the terminal closes it.")
    ] = False,
    when_busy: Annotated[
        str, typer.Option(help="A second request: 'answer' says busy at once, 'backlog' lets it wait.")
    ] = "answer",
    fault: Annotated[
        Fault | None, typer.Option(help="What goes wrong; close_without_answer, silent, lose_answer, ...")
    ] = None,
    fault_for: Annotated[
        int | None, typer.Option(help="Only for this amount in cents; without it for every transaction.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="File that gets one JSON line a session.")] = None,
) -> None:
    """Play a payment terminal: Concert V3.1 and V3.2 over TCP, with a customer.

    Takes debits, reversals, credits, duplicates and identifications from any client, one transaction at a
    time. Ends at SIGTERM or Ctrl-C.
    """
    from sandbox.terminal.main import run

    def say_where(bound_host: str, bound_port: int) -> None:
        typer.echo(f"Terminal is listening on {bound_host}:{bound_port} (Concert V3.1 and V3.2).")

    try:
        run(
            host=host,
            port=port,
            outcome=outcome,
            outcome_by_amount=_outcomes(outcome_for or []),
            delay_seconds=delay,
            floor_limit_cents=floor_limit,
            contactless=contactless,
            keeps_open=keeps_open,
            when_busy=_when_busy(when_busy),
            fault=fault,
            fault_amount_cents=fault_for,
            record_path=record,
            on_listening=say_where,
        )
    except OSError as error:
        raise fail(f"Cannot listen on {host}:{port}: {error.strerror}.", EXIT_USAGE) from error


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


def _when_busy(word: str) -> WhenBusy:
    match word:
        case "answer" | "backlog":
            return word
        case _:
            raise fail(f"--when-busy {word}: write answer or backlog.", EXIT_USAGE)
