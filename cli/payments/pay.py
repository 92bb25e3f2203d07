"""Command `cloud-terminal payments pay`."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.remote.output import AsJson

if TYPE_CHECKING:
    from cli.payments.following import Outcome
    from cli.payments.paying import Sale
    from cli.remote.client import Api


def pay_order(
    order: Annotated[str, typer.Argument(help="The order's number: it is charged once.")],
    cents: Annotated[int, typer.Argument(min=1, help="The amount in cents: 1250 is 12.50 euros.")],
    terminal: Annotated[
        str, typer.Option(metavar="TERMINAL", help="A registered terminal's id, or HOST:PORT.")
    ],
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            help="Idempotency-Key of an earlier run of this order; by default a new one.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for the outcome.")
    ] = 300.0,
    as_json: AsJson = False,
) -> None:
    """Charge a card on a terminal, over HTTP with the merchant's credential.

    The key is printed before anything is sent. If an answer is lost, the
    payment is looked for and waited for; the same order typed again joins it
    and charges nothing twice. Exit code 0 if it succeeded, 7 if it failed and
    no money can move, 8 if the outcome is unknown: the money may have moved.
    """
    import time
    from uuid import uuid4

    from cli.payments.follow import show_outcome
    from cli.payments.following import EXIT_CODES
    from cli.payments.paying import Sale, attempts_before
    from cli.remote.client import api
    from cli.remote.output import euros

    sale = Sale(_body(order, cents, terminal), key or str(uuid4()))
    deadline = time.monotonic() + wait
    with api(needs_broker=True) as server:
        before = attempts_before(server, sale)
        print(
            f"Order {order}, {euros(cents)}, on {terminal}. To join it later, type the same with"
            f" --key {sale.idempotency_key}",
            file=sys.stderr,
            flush=True,
        )
        outcome, payment = _run(server, sale, before, deadline)
    if payment is None:
        _say_unknown(sale, as_json)
    else:
        show_outcome(outcome, payment, payment["id"], as_json=as_json, idempotency_key=sale.idempotency_key)
    raise typer.Exit(EXIT_CODES[outcome])


def _run(
    server: "Api", sale: "Sale", before: frozenset[str], deadline: float
) -> "tuple[Outcome, dict[str, Any] | None]":
    """Return the outcome and the payment as it was last seen; Ctrl-C ends the waiting, not the payment."""
    from cli.payments.follow import show_state
    from cli.payments.following import Follower, Outcome
    from cli.payments.paying import accepted

    payment: dict[str, Any] | None = None
    try:
        payment = accepted(server, sale, before, deadline)
        if payment is None:
            return Outcome.UNKNOWN, None
        follower = Follower(server, payment["id"], show_state)
        follower.payment = payment
        show_state(payment)
        try:
            return follower.run(deadline), follower.payment
        finally:
            payment = follower.payment
    except KeyboardInterrupt:
        return Outcome.UNKNOWN, payment


def _body(order: str, cents: int, terminal: str) -> dict[str, Any]:
    from cli.process import EXIT_USAGE, fail

    place: dict[str, Any] = {"terminal_id": terminal}
    if ":" in terminal:
        host, _, port = terminal.rpartition(":")
        if not port.isdigit() or not host:
            raise fail(f"--terminal {terminal}: write a registered terminal's id, or HOST:PORT.", EXIT_USAGE)
        place = {"host_information": {"host": host.strip("[]"), "port": int(port)}}
    return {
        "order": {"order_id": order, "transaction_type": "Debit", "price": {"amount": cents}},
        "pos_technical_info": {**place, "terminal_transaction_display": {"contract_array": []}},
    }


def _say_unknown(sale: "Sale", as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps({"outcome": "unknown", "idempotency_key": sale.idempotency_key}))
    print(
        "Unknown: the order may have been accepted. Do not take the money again. Type the same with"
        f" --key {sale.idempotency_key}: it joins what runs.",
        file=sys.stderr,
    )
