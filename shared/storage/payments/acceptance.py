"""The order guard in the database: a new payment is stored, or the attempt that blocks it is found.

Insert and attach alternate, each a statement of its own, until one succeeds. A request that is to be refused
for another reason passes through the same insert, which is rolled back: only the unique index waits for an
attempt that is being stored at this moment, and a refusal that is safe to retry must have no such attempt.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass

from shared.payment.order_guard import GUARD_ROUNDS, NotAllowed
from shared.payment.states import State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.functions.function import NO_LIMIT
from shared.storage.functions.usual_acceptance import accept_usual
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

#: Wait for another transaction that is storing one of the debits; past it none of them is safe to retry.
LOCK_WAIT_MS = 100
_LIMIT_LOCK_WAIT = Statement(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")

_ROWS = (
    "(SELECT r.id, r.merchant_id, r.operation_key FROM json_to_recordset(CAST(:refused AS json))"
    " AS r(id TEXT, merchant_id TEXT, operation_key TEXT))"
)

#: Sorted, as in every transaction that takes several locks.
_INSERT_REFUSED = Statement(
    "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key, state,"
    " amount_cents, currency, protocol, force_authorization, host, port, pos_number, profile, request,"
    " created_at, deadline_at, published_at)"
    " SELECT r.id, r.merchant_id, '', 'debit', r.operation_key, r.operation_key,"
    f" 'queued', 0, '', '', false, '', 0, '', '', '', 0, 0, 0 FROM {_ROWS} r"
    " ORDER BY r.merchant_id, r.operation_key ON CONFLICT DO NOTHING RETURNING id"
)

#: Debits whose order is locked for review: no attempt of it is safe.
_LOCKED_REFUSED = Statement(
    f"SELECT r.id FROM {_ROWS} r JOIN payments p ON p.merchant_id = r.merchant_id"
    " AND p.operation_key = r.operation_key AND p.key_closed"
)

#: On SQLite a writer has the database to itself: a read is enough.
_KNOWN_REFUSED = Statement(
    "SELECT json_extract(value, '$.id') AS id FROM json_each(:refused) JOIN payments p"
    " ON p.merchant_id = json_extract(value, '$.merchant_id')"
    " AND p.operation_key = json_extract(value, '$.operation_key')"
    " AND (p.guard_key IS NOT NULL OR p.key_closed)"
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused debit; `id` is new, `operation_key` as in `order_guard`."""

    id: str
    merchant_id: str
    operation_key: str


class _RolledBack(Exception):
    """Raised to roll back the inserts; carries their result."""

    def __init__(self, ids: Collection[str]) -> None:
        self.ids = ids


class _NotBlocked(Exception):
    """Raised to roll back the insert of a request that no attempt blocks."""


async def accept(
    database: Database,
    new: NewPayment,
    terms: Terms,
    places: AbstractAsyncContextManager[None] = NO_LIMIT,
) -> Acceptance:
    """Insert the payment or attach to the attempt that blocks it.

    Whatever needs a connection of its own, since it does not go together with others, takes one of the
    `places`. Raises DatabaseUnavailable, CommitUnknown.
    """
    accepted = await accept_usual(database, new, places)
    if accepted is not None:
        return accepted
    async with places:
        return await _accept_by_statements(database, new, terms)


async def _accept_by_statements(database: Database, new: NewPayment, terms: Terms) -> Acceptance:
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


async def safe_to_retry(database: Database, refused: Sequence[Refused]) -> set[str]:
    """Return the ids of the debits whose orders have no attempt that blocks new ones and no lock for review.

    Of two debits of one order in one call, at most one is safe. Raises DatabaseUnavailable.
    """
    rows = json.dumps([asdict(one) for one in refused])
    if database.dialect == "sqlite":
        known = await database.write(lambda tx: tx.all(_KNOWN_REFUSED, refused=rows))
        first = {(one.merchant_id, one.operation_key): one.id for one in reversed(refused)}
        return set(first.values()) - {row.id for row in known}

    async def insert_and_roll_back(tx: Transaction) -> None:
        await tx.run(_LIMIT_LOCK_WAIT)
        inserted = await tx.all(_INSERT_REFUSED, refused=rows)
        locked = await tx.all(_LOCKED_REFUSED, refused=rows)
        raise _RolledBack({row.id for row in inserted} - {row.id for row in locked})

    try:
        await database.write(insert_and_roll_back)
    except _RolledBack as done:
        return set(done.ids)
    raise AssertionError("it is always rolled back")


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
    if row is None:
        payment = await database.read(lambda tx: get(tx, payment_id))
        return Conflict("key_closed", "the order is locked for review since a backup was restored", payment)
    description = "there is conflicting evidence about this order; an operator decides"
    return Conflict("key_closed", description, payment_of(row))
