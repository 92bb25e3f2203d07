"""The usual settlement on PostgreSQL: result, end of the terminal lock and event in one call."""

from dataclasses import replace

from shared.notification.events import event_body, type_of
from shared.notification.kinds import MERCHANT
from shared.payment.order_guard import blocks_new_attempts
from shared.payment.payment import Operation, Payment, Settlement
from shared.payment.states import LIVE_STATES, State, apply
from shared.storage.db.engine import Database, WakeUp
from shared.storage.functions.function import NO_LIMIT, call
from shared.storage.functions.settle_function import CALL_SETTLE
from shared.storage.payments.rows import HOLE, json_parts, json_text, payment_of, result_values
from shared.storage.terminals.locks import LockGrant, ObservedCapabilities
from shared.storage.webhooks.outbox import RELAY_GRACE_MS, delivery_prefix


async def settle_usual(
    database: Database,
    grant: LockGrant,
    payment: Payment,
    settlement: Settlement,
    observed: ObservedCapabilities,
) -> Payment | None:
    """Store the settlement and release the lock; None: the case is unusual, and nothing was changed.

    Raises DatabaseUnavailable, CommitUnknown.
    """
    to = apply(State.IN_SESSION, settlement.event)
    assert to not in LIVE_STATES, "a settlement ends the payment"
    result = settlement.result.with_warnings(payment.result.warnings)
    type_ = type_of(to, ends_doubt=False)
    reason = {} if settlement.reason is None else {"reason": settlement.reason}
    # The function leaves a payment alone whose other fields may have changed since its claim.
    ended = replace(payment, state=to, reason=settlement.reason, result=result)
    start, middle, end = _body_around_the_end(ended)
    row = await call(
        database,
        CALL_SETTLE,
        # A reversal's or credit's debit has to be locked, too.
        is_alone=payment.debit_id is not None,
        places=NO_LIMIT,
        payment_id=payment.id,
        address=grant.address,
        epoch=grant.epoch,
        token=grant.token,
        echoes=observed.echoes,
        identifies=observed.identifies,
        identify_first=observed.identify_first,
        debit_id=payment.debit_id,
        releases_debit=to is State.SUCCEEDED and payment.operation is Operation.REVERSAL,
        event=settlement.event.value,
        state=to.value,
        reason=settlement.reason,
        blocks_new_attempts=blocks_new_attempts(to),
        detail=json_text({**reason, **settlement.detail}),
        **result_values(result),
        type=type_.value,
        body_start=start,
        body_middle=middle,
        body_end=end,
        delivery_prefix=delivery_prefix(payment.id),
        grace_ms=RELAY_GRACE_MS,
    )
    if row is None:
        return None
    written = zip(row.delivery_ids or (), row.delivery_targets or (), strict=True)
    database.wake([WakeUp(MERCHANT, delivery_id, target) for delivery_id, target in written])
    return payment_of(row)


def _body_around_the_end(ended: Payment) -> list[str]:
    """Return an event's body in three parts, around the time of its payment's end, which is not known yet."""
    body = event_body(replace(ended, ended_at=0))
    return json_parts({**body, "ended_at": HOLE, "result": {**body["result"], "timestamp": HOLE}})
