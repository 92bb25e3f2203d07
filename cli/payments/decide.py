"""Commands `cloud-terminal payments resolve` and `payments release`."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.payments.show import facts_of_payment
from cli.remote.output import AsJson, print_facts


class Outcome(StrEnum):
    """An operator's decision."""

    CHARGED = "charged"
    NOT_CHARGED = "not_charged"


_Payment = Annotated[str, typer.Argument(help="The payment's id.")]
_Decider = Annotated[str, typer.Option("--name", help="Who decides.")]
_Why = Annotated[str, typer.Option("--reason", help="Why: what was seen and where.")]


def resolve_payment(
    payment: _Payment,
    outcome: Annotated[Outcome, typer.Argument(help="What happened to the card.")],
    name: _Decider,
    reason: _Why,
    amount: Annotated[
        int | None, typer.Option(min=1, help="What was really paid, in cents, if less than was asked for.")
    ] = None,
    number: Annotated[
        str | None, typer.Option("--authorisation-number", help="Of the authorisation, from the receipt.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Settle a payment in doubt.

    `charged` may be decided after a minute of doubt, `not_charged` only once
    the terminal has certainly ended what it may have read. Exit code 5 if it
    is too early, or the payment is not in doubt.
    """
    decision: dict[str, Any] = {"decision": outcome.value, "name": name, "reason": reason}
    if amount is not None:
        decision["amount"] = amount
    if number is not None:
        decision["authorisation_number"] = number
    _post(payment, "resolve", decision, as_json)


def release_terminal(payment: _Payment, name: _Decider, reason: _Why, as_json: AsJson = False) -> None:
    """Ask for the terminal of a payment in doubt: it shows nothing of it any more.

    The payment stays in doubt; the terminal is free for others seconds later.
    """
    _post(payment, "release", {"name": name, "reason": reason}, as_json)


def _post(payment: str, action: str, body: dict[str, Any], as_json: bool) -> None:
    from cli.remote.client import api, path_of

    with api() as server:
        done = server.call("POST", path_of("v1", "operator", "payments", payment, action), json=body)
    print_facts(facts_of_payment(done["payment"]), as_json=as_json, whole=done)
