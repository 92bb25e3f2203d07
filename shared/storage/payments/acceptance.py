"""Acceptance of a new payment: store it, or find the attempt that blocks it (the order guard in the
database).

Insert and attach alternate, each a statement of its own, until one succeeds. A request that is to be refused
for another reason passes through the same insert, which is rolled back: a client that is answered 'safe to
retry' must have no earlier attempt.
"""

from collections.abc import Awaitable, Callable

from shared.payment.order_guard import GUARD_ROUNDS, NotAllowed
from shared.payment.states import State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import idempotency, insertion
from shared.storage.payments.ending import get
from shared.storage.payments.insertion import Blocked, NoDebit, OrderLocked
from shared.storage.payments.new_payment import (
    Acceptance,
    Accepted,
    Attached,
    Conflict,
    Contention,
    Earlier,
    NewPayment,
    Terms,
    UnknownOrder,
)
from shared.storage.payments.rows import payment_of

#: The attempt that blocks others of its key, and its age since its end.
_BLOCKING_ATTEMPT = Statement(
    "SELECT {payment}, {now} - COALESCE(ended_at, {now}) AS ended_ms_ago FROM payments"
    " WHERE merchant_id = :merchant_id AND guard_key = :guard_key"
)

#: The payment whose conflicting evidence locked an order: an attempt of it, or a reversal of such a debit.
_CONTRADICTED = Statement(
    "SELECT {payment} FROM payments WHERE contradicted AND id IN (SELECT p.id FROM payments p"
    " JOIN payments closed ON closed.id = :payment_id AND p.merchant_id = closed.merchant_id"
    " AND p.operation_key = closed.operation_key UNION ALL SELECT r.id FROM payments r"
    " JOIN payments d ON r.debit_id = d.id JOIN payments closed ON closed.id = :payment_id"
    " AND d.merchant_id = closed.merchant_id AND d.operation_key = closed.operation_key"
    " WHERE r.operation = 'reversal') ORDER BY id LIMIT 1"
)


class _NotBlocked(Exception):
    """Raised to roll back the insert of a request that no attempt blocks."""


async def accept(database: Database, new: NewPayment, terms: Terms) -> Acceptance:
    """Insert the payment or attach to the attempt that blocks it. Raises DatabaseUnavailable,
    CommitUnknown."""
    return await _insert_or_attach(
        database, new, terms, lambda tx: insertion.insert(tx, new, terms.life_ms(new))
    )


async def find_earlier(database: Database, new: NewPayment, terms: Terms) -> Earlier | None:
    """Return the earlier attempt that answers a request which is refused for another reason; None: none does.

    Decided by an insert that is rolled back, which waits for an attempt that is not committed yet. Raises
    DatabaseUnavailable, CommitUnknown.
    """

    async def insert_and_roll_back(tx: Transaction) -> Accepted | Blocked:
        inserted = await insertion.insert(tx, new, terms.life_ms(new), is_stored=False)
        if isinstance(inserted, Accepted):
            raise _NotBlocked
        return inserted

    try:
        found = await _insert_or_attach(database, new, terms, insert_and_roll_back)
    except _NotBlocked:
        return None
    assert not isinstance(found, Accepted | UnknownOrder), "nothing is stored here"
    return found


async def _insert_or_attach(
    database: Database,
    new: NewPayment,
    terms: Terms,
    insert: Callable[[Transaction], Awaitable[Accepted | Blocked]],
) -> Acceptance:
    try:
        for _ in range(GUARD_ROUNDS):
            inserted = await database.write(insert)
            if isinstance(inserted, Accepted):
                return inserted
            attached = await _attach(database, new, inserted.guard_key, terms.replay_ms(new))
            if attached is not None:
                await _bind(database, new, attached, inserted)
                return attached
    except NotAllowed as error:
        related_id = error.related_id
        return Conflict(error.reason, str(error), await database.read(lambda tx: get(tx, related_id)))
    except NoDebit:
        return UnknownOrder()
    except OrderLocked as error:
        return await _locked(database, error.payment_id)
    except idempotency.KeyUsed:
        named = new.named
        assert named is not None
        payment = await database.read(lambda tx: idempotency.attempt(tx, named))
        return Conflict("key_used", "the idempotency key names another operation", payment)
    return Contention()


async def _bind(database: Database, new: NewPayment, attached: Attached | Conflict, blocked: Blocked) -> None:
    """Bind the key of a request to the operation whose result answers it."""
    named = new.named
    if named is None or blocked.is_bound or isinstance(attached, Conflict):
        return
    await database.write(lambda tx: idempotency.bind(tx, named))


async def _attach(
    database: Database, new: NewPayment, guard_key: str, replay_ms: float
) -> Attached | Conflict | None:
    row = await database.read(
        lambda tx: tx.one(_BLOCKING_ATTEMPT, merchant_id=new.merchant_id, guard_key=guard_key)
    )
    if row is None:
        return None  # it ended as a failure meanwhile: insert again
    payment = payment_of(row)
    if payment.key_closed:
        # Locked since the insert, or by conflicting evidence of this very attempt.
        return await _locked(database, payment.id)
    if payment.amount_cents != new.amount_cents:
        return Conflict("different", "the order is known with another amount", payment)
    if not new.means_terminal_of(payment):
        return Conflict("different", "the order is known on another terminal", payment)
    if payment.state is State.SUCCEEDED and row.ended_ms_ago > replay_ms:
        return Conflict("used", "the order was paid some time ago", payment)
    return Attached(payment)


async def _locked(database: Database, payment_id: str) -> Conflict:
    """Return the refusal for an order that is locked for review, with the payment that locked it."""
    row = await database.read(lambda tx: tx.one(_CONTRADICTED, payment_id=payment_id))
    assert row is not None, "only conflicting evidence locks an order"
    description = "there is conflicting evidence about this order; an operator decides"
    return Conflict("key_closed", description, payment_of(row))
