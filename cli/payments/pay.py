"""Command `cloud-terminal payments pay`."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.remote.output import AsJson

if TYPE_CHECKING:
    from cli.payments.following import Outcome
    from cli.payments.paying import Sale
    from cli.remote.client import Api


class Kind(StrEnum):
    """An operation of an order."""

    DEBIT = "debit"
    REVERSAL = "reversal"
    CREDIT = "credit"


def pay_order(
    order: Annotated[str, typer.Argument(help="The order's number: it is charged once.")],
    cents: Annotated[int, typer.Argument(min=1, help="The amount in cents: 1250 is 12.50 euros.")],
    terminal: Annotated[
        str, typer.Option(metavar="TERMINAL", help="A registered terminal's id, or HOST:PORT.")
    ],
    operation: Annotated[
        Kind,
        typer.Option(help="Charge the card, reverse the order's charge at its terminal, or pay back."),
    ] = Kind.DEBIT,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            help="Idempotency-Key of an earlier run, which is joined; by default a new one.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for the outcome.")
    ] = 300.0,
    as_json: AsJson = False,
) -> None:
    """Charge a card on a terminal, or give money back, over HTTP with the merchant's credential.

    The key is printed before anything is sent. If an answer is lost, the
    payment is looked for and waited for; the same order typed again joins it
    and charges nothing twice. A reversal or credit that equals an earlier one
    is refused unless a --key is given: the earlier one's joins it, a new one
    gives money back once more. Exit code 0 if it succeeded, 7 if it failed and
    no money can move, 8 if the outcome is unknown: the money may have moved.
    """
    import time
    from uuid import uuid4

    from cli.payments.follow import show_outcome
    from cli.payments.following import EXIT_CODES
    from cli.payments.paying import Sale, attempts_before
    from cli.remote.client import api
    from cli.remote.output import euros
    from shared.payment.payment import Operation

    sale = Sale(Operation(operation.value), order, cents, _place(terminal), key or str(uuid4()))
    deadline = time.monotonic() + wait
    with api(needs_broker=True) as server:
        before = attempts_before(server, sale)
        if key is None:
            _refuse_a_second_one(sale, before)
        print(
            f"Order {order}, {operation.value} of {euros(cents)}, on {terminal}. To join it later, type the"
            f" same with --key {sale.idempotency_key}",
            file=sys.stderr,
            flush=True,
        )
        outcome, payment, error = _run(server, sale, before, deadline)
    if payment is not None and payment["id"] in {each["id"] for each in before}:
        print("It is an earlier payment of the order: no second one was begun.", file=sys.stderr)
    if payment is None:
        _say_unknown(sale, as_json)
    else:
        show_outcome(
            outcome, payment, payment["id"], error, as_json=as_json, idempotency_key=sale.idempotency_key
        )
    raise typer.Exit(EXIT_CODES[outcome])


def _run(
    server: "Api", sale: "Sale", before: "list[dict[str, Any]]", deadline: float
) -> "tuple[Outcome, dict[str, Any] | None, str | None]":
    """Return the outcome, the payment as it was last seen and its error; Ctrl-C ends the waiting, not the
    payment."""
    from cli.payments.follow import show_state
    from cli.payments.following import Follower, Outcome
    from cli.payments.paying import accepted

    payment: dict[str, Any] | None = None
    try:
        payment = accepted(server, sale, before, deadline)
        if payment is None:
            return Outcome.UNKNOWN, None, None
        follower = Follower(server, payment["id"], show_state)
        follower.payment = payment
        show_state(payment)
        try:
            return follower.run(deadline), follower.payment, follower.error
        finally:
            payment = follower.payment
    except KeyboardInterrupt:
        return Outcome.UNKNOWN, payment, None


def _refuse_a_second_one(sale: "Sale", before: "list[dict[str, Any]]") -> None:
    """Raise typer.Exit where an equal reversal or credit of the order is there."""
    from cli.payments.paying import given_back_before
    from cli.process import fail
    from cli.remote.client import EXIT_CONFLICT

    earlier = given_back_before(sale, before)
    if earlier is not None:
        raise fail(
            f"An equal {sale.operation.value} of this order is there: {earlier['id']}, {earlier['state']}."
            f" Nothing was sent.\nTo see it: cloud-terminal payments follow {earlier['id']}\n"
            "To give money back once more, name a new --key.",
            EXIT_CONFLICT,
        )


def _place(terminal: str) -> dict[str, Any]:
    from cli.process import EXIT_USAGE, fail

    if ":" not in terminal:
        return {"terminal_id": terminal}
    host, _, port = terminal.rpartition(":")
    if not port.isdigit() or not host:
        raise fail(f"--terminal {terminal}: write a registered terminal's id, or HOST:PORT.", EXIT_USAGE)
    return {"host_information": {"host": host.strip("[]"), "port": int(port)}}


def _say_unknown(sale: "Sale", as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps({"outcome": "unknown", "idempotency_key": sale.idempotency_key}))
    print(
        f"Unknown: the {sale.operation.value} may have been accepted. Do not repeat it otherwise. Type the"
        f" same with --key {sale.idempotency_key}: it joins what runs.",
        file=sys.stderr,
    )
