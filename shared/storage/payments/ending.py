"""Statements that end a payment or put it in doubt, inside the transactions of others."""

import json
from collections.abc import Mapping

from shared.notification.events import type_of
from shared.payment.evidence import conflicts_with
from shared.payment.order_guard import blocks_new_attempts
from shared.payment.payment import Operation, Payment, Reason, Result
from shared.payment.states import LIVE_STATES, Event, State, apply
from shared.storage.db.engine import Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import SET_RESULT, payment_of, record, result_values
from shared.storage.webhooks.outbox import add_contradiction, add_event

#: Move a payment from the state that was read to a final one or into doubt.
_MOVE = Statement(
    "UPDATE payments SET state = :to, reason = :reason,"
    " guard_key = CASE WHEN :blocks_new_attempts THEN guard_key ELSE NULL END,"
    " ended_at = CASE WHEN :ends THEN {now} ELSE NULL END,"
    " doubted_at = CASE WHEN :doubts THEN {now} ELSE doubted_at END,"
    " resolved_by = COALESCE(CAST(:resolved_by AS TEXT), resolved_by),"
    " proved_by = COALESCE(CAST(:proved_by AS TEXT), proved_by),"
    f" held_since = :held_since, {SET_RESULT}"
    " WHERE id = :payment_id AND state = :from_state"
    " RETURNING {payment}"
)

#: The proofs about a payment, oldest first. Read after the payment's row was updated or locked.
_PROOFS = Statement(
    "SELECT source, proves, brought_by, detail FROM evidence"
    " WHERE payment_id = :payment_id AND proves IS NOT NULL ORDER BY id"
)

#: Release a reversed debit's order: it may be debited again.
_RELEASE_DEBIT = Statement("UPDATE payments SET guard_key = NULL WHERE id = :debit_id")

_GET = Statement("SELECT {payment} FROM payments WHERE id = :payment_id")

_LOCK = Statement("SELECT id FROM payments WHERE id = :payment_id {for_update}")

_LOCK_DEBIT_OF = Statement(
    "SELECT id FROM payments WHERE id = (SELECT debit_id FROM payments WHERE id = :payment_id) {for_update}"
)

_CONTRADICT = Statement("UPDATE payments SET contradicted = true WHERE id = :payment_id")

#: Lock all attempts of the conflicting one's key, in the order that every transaction uses; those of a
#: reversed debit's key, too, since its money may have moved or not.
_LOCK_KEYS = Statement(
    "SELECT id, state FROM payments WHERE merchant_id = :merchant_id AND operation_key IN"
    " (SELECT operation_key FROM payments WHERE id = :payment_id OR id = CAST(:reversed_id AS TEXT))"
    " ORDER BY id {for_update}"
)
_LOCK_ORDER = Statement("UPDATE payments SET key_closed = true WHERE id {in_ids} RETURNING id")


async def lock(tx: Transaction, payment_id: str) -> None:
    """Lock a payment's row and read nothing: the next statement sees all that was committed before."""
    await tx.one(_LOCK, payment_id=payment_id)


async def lock_debit_of(tx: Transaction, payment_id: str) -> None:
    """Lock the debit of a reversal or credit: its success may change the debit; debits are locked first."""
    await tx.one(_LOCK_DEBIT_OF, payment_id=payment_id)


async def move(
    tx: Transaction,
    payment_id: str,
    from_state: State,
    event: Event,
    *,
    reason: str | None,
    result: Result | None = None,
    held_since: int | None = None,
    resolved_by: str | None = None,
    proved_by: str | None = None,
    detail: Mapping[str, object] | None = None,
    doubt_was_notified: bool = True,
) -> Payment | None:
    """Carry out one transition of the table and record it; None: the payment was in another state.

    `result` carries all of the payment's warnings, the earlier ones too; without one they stay. An event is
    written for the merchant; `doubt_was_notified` is false where the doubt began in this transaction.
    """
    to = apply(from_state, event)
    row = await tx.one(
        _MOVE,
        payment_id=payment_id,
        from_state=from_state.value,
        to=to.value,
        reason=reason,
        blocks_new_attempts=blocks_new_attempts(to),
        ends=to not in LIVE_STATES,
        doubts=to is State.IN_DOUBT,
        resolved_by=resolved_by,
        proved_by=proved_by,
        held_since=held_since,
        **result_values(result),
    )
    if row is None:
        return None
    payment = payment_of(row)
    await record(
        tx, payment_id, event, to, {**_why(payment, reason, resolved_by, proved_by), **(detail or {})}
    )
    if to is State.SUCCEEDED and payment.operation is Operation.REVERSAL and payment.debit_id:
        await tx.run(_RELEASE_DEBIT, debit_id=payment.debit_id)
    if to is State.IN_DOUBT:
        return await _settle_by_proof(tx, payment)
    if to not in LIVE_STATES:
        ends_doubt = from_state is State.IN_DOUBT and doubt_was_notified
        await add_event(tx, payment, type_of(to, ends_doubt=ends_doubt))
        return await _check_earlier_proofs(tx, payment)
    return payment


def _why(
    payment: Payment, reason: str | None, resolved_by: str | None, proved_by: str | None
) -> dict[str, object]:
    """Return the history's details of a transition: the reason; a doubt's proof, its origin and its time."""
    why: dict[str, object] = {} if reason is None else {"reason": reason}
    if proved_by is not None:
        why["brought_by"] = proved_by
    if resolved_by is not None and payment.doubted_at is not None and payment.ended_at is not None:
        why |= {"resolved_by": resolved_by, "doubt_ms": payment.ended_at - payment.doubted_at}
    return why


async def _settle_by_proof(tx: Transaction, payment: Payment) -> Payment:
    """Settle a doubt that has just begun by an earlier proof, if there is one.

    The doubt's update ran first and this is a statement of its own; storing evidence locks the payment's row
    first, so one of the two sees the other.
    """
    row = await tx.one(_PROOFS, payment_id=payment.id)
    if row is None:
        await add_event(tx, payment, type_of(payment.state, ends_doubt=False))
        return payment
    result = Result.from_json(json.loads(row.detail)).with_warnings(payment.result.warnings)
    moved = await move(
        tx,
        payment.id,
        State.IN_DOUBT,
        Event(row.proves),
        reason=None,
        result=result,
        resolved_by=row.source,
        proved_by=row.brought_by,
        doubt_was_notified=False,
    )
    assert moved is not None, "the row is locked by this transaction"
    return moved


async def _check_earlier_proofs(tx: Transaction, payment: Payment) -> Payment:
    for row in await tx.all(_PROOFS, payment_id=payment.id):
        if conflicts_with(payment.state, Event(row.proves)):
            detail = {"source": row.source, "proves": row.proves, "brought_by": row.brought_by}
            return await record_conflict(tx, payment, detail)
    return payment


async def record_conflict(tx: Transaction, payment: Payment, detail: Mapping[str, object]) -> Payment:
    """Mark a final payment as contradicted and lock its order for review; a reversal locks its debit's, too.

    Its queued attempts are cancelled; no attempt of it is safe to retry, not even a running one.
    """
    await tx.run(_CONTRADICT, payment_id=payment.id)
    await record(tx, payment.id, "contradiction", payment.state, detail)
    await add_contradiction(tx, payment)
    attempts = await tx.all(
        _LOCK_KEYS,
        merchant_id=payment.merchant_id,
        payment_id=payment.id,
        reversed_id=payment.debit_id if payment.operation is Operation.REVERSAL else None,
    )
    await tx.all_of(_LOCK_ORDER, [row.id for row in attempts])
    for row in attempts:
        if row.state == State.QUEUED:
            await move(tx, row.id, State.QUEUED, Event.CANCELLED, reason=Reason.KEY_CLOSED)
    return await get(tx, payment.id)


async def get(tx: Transaction, payment_id: str) -> Payment:
    """Return a payment that is known to exist."""
    row = await tx.one(_GET, payment_id=payment_id)
    assert row is not None
    return payment_of(row)
