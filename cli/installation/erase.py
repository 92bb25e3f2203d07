"""Command `cloud-terminal erase`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.remote.output import AsJson, Yes, confirm

if TYPE_CHECKING:
    from shared.storage.retention.erasure import Erased, NotSettled


def erase_customer_data(
    merchant: Annotated[str, typer.Argument(help="The merchant's id.")],
    order: Annotated[str, typer.Argument(help="The order's id.")],
    name: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why: the customer's request.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Erase the customer data of an order; amounts, states and authorisation numbers stay.

    Refused while a payment of the order is open or disputed (exit code 5).
    Again is as good. On the machine, with the owner's account of the
    database: no process may change a history.
    """
    from cli.process import fail, plain_errors, run_on_loop
    from cli.remote.client import EXIT_CONFLICT, EXIT_NOT_FOUND
    from cli.remote.output import print_facts
    from shared.storage.retention.erasure import NotSettled

    confirm(f"Erase the customer data of order {order} for ever?", yes=yes)
    with plain_errors():
        done = run_on_loop(_erase(merchant, order, name, reason))
    if done is None:
        raise fail("There is no payment of this order.", EXIT_NOT_FOUND)
    if isinstance(done, NotSettled):
        raise fail(
            f"The payment {done.payment.id} is {done.payment.state}: the data is needed until its outcome is"
            " known and undisputed.",
            EXIT_CONFLICT,
        )
    print_facts({"order": order, "payments": done.payments}, as_json=as_json)


async def _erase(merchant: str, order: str, name: str, reason: str) -> "Erased | NotSettled | None":
    from cli.process import command_settings
    from cli.remote.machine import machine_user
    from shared.storage.administration.audit_trail import Actor
    from shared.storage.db.opening import opened_database
    from shared.storage.retention.erasure import erase_order

    async with opened_database(command_settings()) as database:
        return await erase_order(
            database, merchant, order, actor=Actor(machine_user(), reason=reason, given_name=name)
        )
