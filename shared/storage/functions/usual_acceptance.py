"""The usual acceptance on PostgreSQL: a debit's first attempt is stored in one call."""

from contextlib import AbstractAsyncContextManager

from shared.notification.kinds import HIPAY
from shared.payment.payment import Operation
from shared.payment.states import State
from shared.storage.db.engine import Database, WakeUp
from shared.storage.functions.accept_function import CALL_ACCEPT
from shared.storage.functions.function import call
from shared.storage.payments.new_payment import Accepted, NewPayment
from shared.storage.payments.rows import json_text
from shared.storage.webhooks.outbox import RELAY_GRACE_MS, order_notification_id


async def accept_usual(
    database: Database, new: NewPayment, places: AbstractAsyncContextManager[None]
) -> Accepted | None:
    """Store the payment; None: the case is unusual, and no payment was stored.

    Where it goes alone it takes one of the `places`. Reversals and credits depend on the debits of their
    order, which are chosen by `debit_choice`. Raises DatabaseUnavailable, CommitUnknown.
    """
    if new.operation is not Operation.DEBIT or new.terminal_address is None:
        return None
    is_literal = new.terminal_address.startswith(new.host)
    notification_id = order_notification_id(new.id) if new.notifies_hipay else None
    row = await call(
        database,
        CALL_ACCEPT,
        # A name may have led elsewhere, a key may name another operation: one function decides these.
        is_alone=not is_literal or new.idempotency_key is not None,
        places=places,
        **new.values(),
        operation_key=new.debit_key,
        is_literal=is_literal,
        detail=json_text({"terminal_address": new.terminal_address, **new.origin}),
        order_notification_id=notification_id,
        grace_ms=RELAY_GRACE_MS,
    )
    if row is None or not row.is_accepted:
        return None
    if notification_id is not None:
        database.wake([WakeUp(HIPAY, notification_id, HIPAY)])
    return Accepted(new.id, State.QUEUED)
