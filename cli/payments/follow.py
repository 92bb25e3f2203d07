"""Command `cloud-terminal payments follow`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.remote.output import AsJson

if TYPE_CHECKING:
    from cli.payments.following import Outcome
    from cli.remote.output import Row


def follow_payment(
    payment: Annotated[str, typer.Argument(help="The payment's id.")],
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            min=0,
            metavar="SECONDS",
            help="Stop waiting then; by default it waits on.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Wait until a payment is settled, through its doubt too, with its merchant's credential.

    States go to standard error as they change. Exit code 0 if it succeeded,
    7 if it failed and no money can move any more, 8 if the outcome is unknown:
    the money may have moved. Ctrl-C ends the waiting alone.
    """
    import time

    from cli.payments.following import EXIT_CODES, Follower, Outcome
    from cli.remote.client import api

    deadline = None if wait is None else time.monotonic() + wait
    with api() as server:
        follower = Follower(server, payment, show_state)
        try:
            outcome = follower.run(deadline)
        except KeyboardInterrupt:
            outcome = Outcome.UNKNOWN
        show_outcome(outcome, follower.payment, payment, follower.error, as_json=as_json)
    raise typer.Exit(EXIT_CODES[outcome])


def show_state(payment: "Row") -> None:
    """Print the payment's state on standard error."""
    print(f"{payment['id']}: {payment['state']}", file=sys.stderr, flush=True)


def show_outcome(
    outcome: "Outcome",
    payment: "Row | None",
    payment_id: str,
    error: str | None,
    *,
    as_json: bool,
    **more: str,
) -> None:
    """Print the payment's facts with its error, and what to do about an unknown outcome; `more` goes into the
    JSON."""
    from cli.payments.following import Outcome
    from cli.payments.show import facts_of_payment
    from cli.remote.output import print_facts

    facts = {"payment": payment_id} if payment is None else facts_of_payment(payment)
    if error is not None:
        facts["error"] = error
        more = {**more, "error": error}
    whole = {"outcome": outcome.value, **more, "payment": payment or {"id": payment_id}}
    print_facts(facts, as_json=as_json, whole=whole)
    if outcome is Outcome.UNKNOWN:
        print(
            f"Unknown: the money may have moved. Do not move it again; wait for it with\n"
            f"cloud-terminal payments follow {payment_id}",
            file=sys.stderr,
        )
