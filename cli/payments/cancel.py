"""Command `cloud-terminal payments cancel`."""

from typing import Annotated

import typer

from cli.remote.output import AsJson


def cancel_payment(
    payment: Annotated[str, typer.Argument(help="The payment's id.")],
    as_json: AsJson = False,
) -> None:
    """Stop a payment while it is queued, with its merchant's credential.

    Exit code 5 if a terminal has it already, or it has ended: the answer says
    its state.
    """
    from cli.payments.show import facts_of_payment
    from cli.remote.client import api, path_of
    from cli.remote.output import print_facts

    with api() as server:
        done = server.call("POST", path_of("v1", "payments", payment, "cancel"))
    print_facts(facts_of_payment(done["payment"]), as_json=as_json, whole=done)
