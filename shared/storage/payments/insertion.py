"""The insert of a new payment, under the order guard, the idempotency key and the rules of its debit.

Only the guard's unique index waits for an attempt that is being stored at this moment.
"""

from dataclasses import dataclass

from shared.notification.events import type_of
from shared.payment.debit_choice import FollowUpRequest, KnownDebit, choose_debit
from shared.payment.order_guard import blocks_new_attempts, check_may_follow, operation_key
from shared.payment.payment import Operation, Reason
from shared.payment.states import State
from shared.storage.db.engine import Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import debits, idempotency
from shared.storage.payments.ending import get
from shared.storage.payments.new_payment import Accepted, NewPayment
from shared.storage.payments.rows import record
from shared.storage.terminals import locks
from shared.storage.webhooks.outbox import add_event, add_order_notification

_INSERT = Statement(
    "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key, idempotency_key,"
    " debit_id, state, reason, amount_cents, currency, protocol, force_authorization, host, port,"
    " terminal_address, pos_number, profile, request, webhook_endpoint_id, reply_to, traceparent, created_at,"
    " deadline_at, published_at, ended_at, warnings)"
    " VALUES (:id, :merchant_id, :order_id, :operation, :operation_key, :guard_key, :idempotency_key,"
    " :debit_id, :state, :reason, :amount_cents, :currency, :protocol, :force_authorization, :host, :port,"
    " :terminal_address, :pos_number, :profile, :request, :webhook_endpoint_id, :reply_to, :traceparent,"
    " {now},"
    " {now} + :deadline_ms, {now}, CASE WHEN :ended THEN {now} ELSE NULL END, :warnings)"
    " ON CONFLICT DO NOTHING RETURNING id"
)

#: An attempt that was never queued blocks no other. It is inserted with its key, so that its insert waits for
#: an attempt of the same key that is not committed yet, and releases the key in the same transaction.
_RELEASE_KEY = Statement("UPDATE payments SET guard_key = NULL WHERE id = :id")

#: Lock the other attempts of a key, by a statement of its own: without it an insert and conflicting evidence
#: that locks the order for review miss each other. After the insert, which waits for an attempt that is being
#: stored: before it, such an attempt could still be stored, fail and get conflicting evidence unlocked.
_LOCK_ATTEMPTS = Statement(
    "SELECT id FROM payments WHERE merchant_id = :merchant_id AND operation_key = :operation_key"
    " AND id <> :id ORDER BY id {for_update}"
)

#: An attempt whose order is locked for review. Read after `_LOCK_ATTEMPTS`.
_LOCKED_ATTEMPT = Statement(
    "SELECT id FROM payments WHERE merchant_id = :merchant_id AND operation_key = :operation_key"
    " AND key_closed ORDER BY id LIMIT 1"
)

#: This payment itself, where an earlier commit of it, whose answer was lost, was carried out late.
_OWN = Statement("SELECT state FROM payments WHERE id = :id")

#: For merchants whose cash registers start their numbers again: a success of long ago releases its order
#: number. A payment in doubt never does.
_RELEASE_ORDER = Statement(
    "UPDATE payments SET guard_key = NULL WHERE merchant_id = :merchant_id AND guard_key = :guard_key"
    " AND state = :succeeded AND ended_at <= {now} - CAST(:life_ms AS BIGINT) RETURNING id"
)


@dataclass(frozen=True, slots=True)
class Blocked:
    """An insert that an earlier attempt blocked; `is_bound`: a given Idempotency-Key names the operation."""

    guard_key: str
    is_bound: bool = True


class OrderLocked(Exception):
    """Raised, to roll back, for an order that is locked for review; names one of its locked attempts."""

    def __init__(self, payment_id: str) -> None:
        self.payment_id = payment_id


class NoDebit(Exception):
    """Raised, to roll back, for a reversal or credit that may not be sent without a debit here."""


async def insert(
    tx: Transaction, new: NewPayment, life_ms: int | None, *, is_stored: bool = True
) -> Accepted | Blocked:
    """Insert the payment with its history; with `is_stored` false, insert its row alone, to be rolled back.

    Raises OrderLocked, NoDebit, NotAllowed, KeyUsed.
    """
    named = new.named
    is_bound = named is None or await _is_bound(tx, new, named)
    if new.terminal_address is not None and is_stored:
        # For every payment: the row of the lock may be missing in a restored database.
        await locks.create_lock(
            tx,
            merchant_id=new.merchant_id,
            host=new.host,
            port=new.port,
            terminal_address=new.terminal_address,
        )
    known = await _debit_of(tx, new, key_is_used=is_bound)
    debit_id = None if known is None else known.debit.id
    key = _key(new, debit_id)
    if known is not None:
        if any(follower.guard_key == key for follower in known.followers):
            return Blocked(key, is_bound)
        check_may_follow(new.operation, new.amount_cents, new.terminal_address, known.debit, known.followers)
    elif life_ms is not None:
        # A reversal or credit of a known debit is named by that debit, not by an order number that is reused.
        await _release_order(tx, new, key, life_ms)
    inserted = await _insert_row(tx, new, key, debit_id)
    await _check_not_locked(tx, new, key, is_inserted=inserted is not None)
    if inserted is None:
        own = await tx.one(_OWN, id=new.id)
        return Blocked(key, is_bound) if own is None else Accepted(new.id, State(own.state))
    if is_stored:
        if new.operation is not Operation.DEBIT and known is None and not new.passes_unknown:
            # After the insert: a request that was accepted before is answered from its result.
            raise NoDebit
        await _write_history(tx, new, inserted.state, debit_id)
        if named is not None and not is_bound:
            await idempotency.bind(tx, named)
    return inserted


async def _check_not_locked(tx: Transaction, new: NewPayment, key: str, *, is_inserted: bool) -> None:
    """Raise OrderLocked where the order is locked for review."""
    named = {"merchant_id": new.merchant_id, "operation_key": key}
    if is_inserted and await tx.one(_LOCK_ATTEMPTS, **named, id=new.id) is None:
        return
    locked = await tx.one(_LOCKED_ATTEMPT, **named)
    if locked is not None:
        raise OrderLocked(locked.id)


async def _is_bound(tx: Transaction, new: NewPayment, named: idempotency.NamedOperation) -> bool:
    """Return True if the request's key names this operation already; raise KeyUsed where it may not."""
    if not await idempotency.is_bound(tx, named):
        return False
    await idempotency.check_terminal(tx, named, new.means_terminal_of)
    return True


def _key(new: NewPayment, debit_id: str | None) -> str:
    return operation_key(
        new.operation,
        new.order_id,
        debit_id=debit_id,
        amount_cents=new.amount_cents,
        idempotency_key=new.idempotency_key,
    )


async def _release_order(tx: Transaction, new: NewPayment, key: str, life_ms: int) -> None:
    released = await tx.one(
        _RELEASE_ORDER,
        merchant_id=new.merchant_id,
        guard_key=key,
        succeeded=State.SUCCEEDED.value,
        life_ms=life_ms,
    )
    if released is not None:
        await record(tx, released.id, "guard_left", State.SUCCEEDED, {"order_number_taken_by": new.id})


async def _insert_row(tx: Transaction, new: NewPayment, key: str, debit_id: str | None) -> Accepted | None:
    state = State.QUEUED if new.terminal_address is not None else State.UNREACHABLE
    reason = None if new.terminal_address is not None else Reason.NO_ADDRESS
    row = await tx.one(
        _INSERT,
        **new.values(),
        operation=new.operation.value,
        operation_key=key,
        guard_key=key,
        debit_id=debit_id,
        state=state.value,
        reason=reason,
        ended=state is not State.QUEUED,
    )
    if row is None:
        return None
    if not blocks_new_attempts(state):
        await tx.run(_RELEASE_KEY, id=new.id)
    return Accepted(new.id, state)


async def _write_history(tx: Transaction, new: NewPayment, state: State, debit_id: str | None) -> None:
    detail: dict[str, object] = (
        {"terminal_address": new.terminal_address} if state is State.QUEUED else {"reason": Reason.NO_ADDRESS}
    )
    if new.operation is not Operation.DEBIT:
        # Cancel and Credit carry no reference: only the terminal can check what is unknown here.
        detail["debit"] = debit_id or "unknown"
    await record(tx, new.id, "accepted", state, {**detail, **new.origin})
    if new.notifies_hipay:
        await add_order_notification(tx, payment_id=new.id, merchant_id=new.merchant_id)
    if state is not State.QUEUED:
        await add_event(tx, await get(tx, new.id), type_of(state, ends_doubt=False))


async def _debit_of(tx: Transaction, new: NewPayment, *, key_is_used: bool) -> KnownDebit | None:
    """Return the debit of a reversal or credit; None: its order has none here. Raises NotAllowed."""
    if new.operation is Operation.DEBIT:
        return None
    ids = await debits.lock(tx, new.merchant_id, new.debit_key, new.operation, new.idempotency_key)
    if not ids:
        return None
    asked = FollowUpRequest(
        new.operation, new.amount_cents, new.terminal_address, new.idempotency_key, key_is_used
    )
    return choose_debit(asked, await debits.read(tx, ids))
