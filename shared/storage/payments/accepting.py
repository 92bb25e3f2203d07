"""Store a new payment, or find the attempt that keeps it out: the order guard in the database.

Insert and attach alternate, each a statement of its own, until one succeeds. A request that is to be refused
for another reason passes through the same insert, which is rolled back: only the unique index waits for an
attempt that is being stored at this moment, and whoever is told 'safe to retry' must have no such attempt.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.notification.events import type_of
from shared.payment.debit_choice import GivingBack, KnownDebit, choose_debit
from shared.payment.order_guard import (
    GUARD_ROUNDS,
    NotAllowed,
    blocks_new_attempts,
    check_may_follow,
    is_same_terminal,
    operation_key,
)
from shared.payment.payment import Operation, Payment, Reason, terminal_id_of
from shared.payment.states import State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import debits, idempotency
from shared.storage.payments.ending import get
from shared.storage.payments.rows import json_text, payment_of, record
from shared.storage.terminals import moved_terminals
from shared.storage.webhooks.outbox import add_event, add_order_notification

#: Lock the other attempts of a key, by a statement of its own: without it an insert and a contradiction
#: that closes the key miss each other. After the insert, which waits for an attempt that is being stored:
#: before it, an attempt could still be stored, fail and be contradicted in between, locked by nobody.
_LOCK_ATTEMPTS = Statement(
    "SELECT id FROM payments WHERE merchant_id = :merchant_id AND operation_key = :operation_key"
    " AND id <> :id ORDER BY id {for_update}"
)

#: Read after the lock was taken: whether the key is closed.
_CLOSED_ATTEMPT = Statement(
    "SELECT id FROM payments WHERE merchant_id = :merchant_id AND operation_key = :operation_key"
    " AND key_closed ORDER BY id LIMIT 1"
)

#: What closed the key of an attempt: a contradicted attempt of it, or a contradicted reversal of one of them.
_CONTRADICTED = Statement(
    "SELECT {payment} FROM payments WHERE contradicted AND id IN (SELECT p.id FROM payments p"
    " JOIN payments closed ON closed.id = :payment_id AND p.merchant_id = closed.merchant_id"
    " AND p.operation_key = closed.operation_key UNION ALL SELECT r.id FROM payments r"
    " JOIN payments d ON r.debit_id = d.id JOIN payments closed ON closed.id = :payment_id"
    " AND d.merchant_id = closed.merchant_id AND d.operation_key = closed.operation_key"
    " WHERE r.operation = 'reversal') ORDER BY id LIMIT 1"
)

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

#: An attempt that was never queued keeps nobody out. It is inserted with its key, so that its insert waits
#: for an attempt of the same key that is not committed yet, and gives the key up in the same transaction.
_GIVE_UP_KEY = Statement("UPDATE payments SET guard_key = NULL WHERE id = :id")

#: This very payment, where an earlier commit of it, whose answer was lost, was carried out late.
_OWN = Statement("SELECT state FROM payments WHERE id = :id")

#: For merchants whose tills begin their numbers again: a success of long ago gives its place away. One in
#: doubt never does.
_LEAVE_GUARD = Statement(
    "UPDATE payments SET guard_key = NULL WHERE merchant_id = :merchant_id AND guard_key = :guard_key"
    " AND state = :succeeded AND ended_at <= {now} - CAST(:life_ms AS BIGINT) RETURNING id"
)

#: The attempt that keeps others of its key out, and how long ago it ended.
_COUNTING_ATTEMPT = Statement(
    "SELECT {payment}, {now} - COALESCE(ended_at, {now}) AS ended_ms_ago FROM payments"
    " WHERE merchant_id = :merchant_id AND guard_key = :guard_key"
)

_GET = Statement("SELECT {payment} FROM payments WHERE id = :payment_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A payment to be accepted; `terminal_address` is None where the terminal's host name has no address.

    Of a request that is refused (`find_earlier`) `host` is empty where its `terminal_id` is not known.
    """

    id: str
    merchant_id: str
    order_id: str
    operation: Operation
    idempotency_key: str | None
    amount_cents: int
    currency: str
    protocol: str
    force_authorization: bool
    host: str
    port: int
    terminal_address: str | None
    pos_number: str
    profile: str
    request: str
    #: The merchant's endpoint that the order names.
    webhook_endpoint_id: str | None = None
    #: Whether a reversal or credit goes to the terminal though its order has no debit here.
    passes_unknown: bool = False
    #: Whether HiPay is told of the order.
    notifies_hipay: bool = False
    reply_to: str | None
    traceparent: str | None
    deadline_seconds: float
    warnings: Sequence[str]

    @property
    def named(self) -> idempotency.NamedOperation | None:
        """The operation that the caller's Idempotency-Key names; None without a key."""
        if self.idempotency_key is None:
            return None
        return idempotency.NamedOperation(
            self.merchant_id,
            self.idempotency_key,
            self.order_id,
            self.operation,
            self.amount_cents,
            self.currency,
        )

    def means_terminal_of(self, attempt: Payment) -> bool:
        """Return whether the request goes to the terminal of an earlier attempt."""
        return is_same_terminal(
            attempt,
            terminal_address=self.terminal_address,
            host=self.host,
            port=self.port,
            terminal_id=terminal_id_of(self.request),
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """Stored: `queued`, or `unreachable` where there is no address. `debit_unknown`: passed on unchecked."""

    payment_id: str
    state: State


@dataclass(frozen=True, slots=True)
class Attached:
    """The same operation is running or has ended: its result is this caller's answer."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class Conflict:
    """A 409: `reason` is a stable word, `payment` the attempt that is in the way."""

    reason: str
    description: str
    payment: Payment


@dataclass(frozen=True, slots=True)
class UnknownOrder:
    """A 409: a reversal or credit of an order that has no debit here, and may not be passed on."""


@dataclass(frozen=True, slots=True)
class NoPlace:
    """Insert and attach kept missing each other: the caller may come again."""


#: What keeps a request from being stored, or refused for another reason.
Earlier = Attached | Conflict | NoPlace

Acceptance = Accepted | UnknownOrder | Earlier


@dataclass(frozen=True, slots=True)
class Terms:
    """Times for which a stored result is given again.

    A success is replayed for `replay_seconds` after its end, `credit_replay_seconds` for credits without an
    idempotency key: the next equal credit may be another one. `guard_life_seconds`: how long a succeeded
    order keeps its number, None for ever; not shorter than its replay.
    """

    replay_seconds: float
    credit_replay_seconds: float
    guard_life_seconds: float | None = None

    def replay_ms(self, new: NewPayment) -> float:
        keyless_credit = new.operation is Operation.CREDIT and new.idempotency_key is None
        return 1000 * (self.credit_replay_seconds if keyless_credit else self.replay_seconds)

    def life_ms(self, new: NewPayment) -> int | None:
        if self.guard_life_seconds is None:
            return None
        return int(max(self.replay_ms(new), 1000 * self.guard_life_seconds))


@dataclass(frozen=True, slots=True)
class _Taken:
    """The key's place is taken by an attempt that counts. `is_bound`: the Idempotency-Key, if there is one,
    names this operation already."""

    guard_key: str
    is_bound: bool = True


class _KeyClosed(Exception):
    def __init__(self, payment_id: str) -> None:
        self.payment_id = payment_id


class _NoDebit(Exception):
    """Rolls back the insert of a reversal or credit that may not be passed on."""


class _NothingInTheWay(Exception):
    """Rolls back the insert of a request that is refused."""


async def accept(database: Database, new: NewPayment, terms: Terms) -> Acceptance:
    """Insert the payment or attach to the attempt that counts. Raises DatabaseUnavailable, CommitUnknown."""
    return await _insert_or_attach(database, new, terms, lambda tx: _insert(tx, new, terms.life_ms(new)))


async def find_earlier(database: Database, new: NewPayment, terms: Terms) -> Earlier | None:
    """Return what keeps out a request that is refused for another reason; None: nothing does.

    Judged as if it were stored, and nothing is: an attempt that is not committed yet is waited for. Raises
    DatabaseUnavailable, CommitUnknown.
    """

    async def insert_and_roll_back(tx: Transaction) -> Accepted | _Taken:
        inserted = await _insert(tx, new, terms.life_ms(new), is_stored=False)
        if isinstance(inserted, Accepted):
            raise _NothingInTheWay
        return inserted

    try:
        found = await _insert_or_attach(database, new, terms, insert_and_roll_back)
    except _NothingInTheWay:
        return None
    assert not isinstance(found, Accepted | UnknownOrder), "nothing is stored here"
    return found


async def _insert_or_attach(
    database: Database,
    new: NewPayment,
    terms: Terms,
    insert: Callable[[Transaction], Awaitable[Accepted | _Taken]],
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
        return Conflict(error.reason, str(error), await _get(database, error.related_id))
    except _NoDebit:
        return UnknownOrder()
    except _KeyClosed as error:
        return await _closed(database, error.payment_id)
    except idempotency.KeyUsed:
        named = new.named
        assert named is not None
        payment = await database.read(lambda tx: idempotency.attempt(tx, named))
        return Conflict("key_used", "the idempotency key names another operation", payment)
    return NoPlace()


async def _bind(database: Database, new: NewPayment, attached: Attached | Conflict, taken: _Taken) -> None:
    """The key of a request that found its operation's result names that operation from now on."""
    named = new.named
    if named is None or taken.is_bound or isinstance(attached, Conflict):
        return
    await database.write(lambda tx: idempotency.bind(tx, named))


async def _insert(
    tx: Transaction, new: NewPayment, life_ms: int | None, *, is_stored: bool = True
) -> Accepted | _Taken:
    named = new.named
    is_bound = named is None or await _is_bound(tx, new, named)
    if new.terminal_address is not None and is_stored:
        # Also where it is known: a database that was restored without it is mended by the next payment.
        await moved_terminals.create_line(
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
            return _Taken(key, is_bound)
        check_may_follow(new.operation, new.amount_cents, new.terminal_address, known.debit, known.followers)
    elif life_ms is not None:
        # A reversal or credit of a known debit is named by that debit, not by a number that comes again.
        await _leave_guard(tx, new, key, life_ms)
    inserted = await _insert_row(tx, new, key, debit_id)
    await _check_key_open(tx, new, key, is_inserted=inserted is not None)
    if inserted is None:
        own = await tx.one(_OWN, id=new.id)
        return _Taken(key, is_bound) if own is None else Accepted(new.id, State(own.state))
    if is_stored:
        if new.operation is not Operation.DEBIT and known is None and not new.passes_unknown:
            # After the insert: a request that was passed on before is answered from its result.
            raise _NoDebit
        await _write_history(tx, new, inserted.state, debit_id)
        if named is not None and not is_bound:
            await idempotency.bind(tx, named)
    return inserted


async def _check_key_open(tx: Transaction, new: NewPayment, key: str, *, is_inserted: bool) -> None:
    """Raise _KeyClosed where the key is closed."""
    named = {"merchant_id": new.merchant_id, "operation_key": key}
    if is_inserted and await tx.one(_LOCK_ATTEMPTS, **named, id=new.id) is None:
        return
    closed = await tx.one(_CLOSED_ATTEMPT, **named)
    if closed is not None:
        raise _KeyClosed(closed.id)


async def _is_bound(tx: Transaction, new: NewPayment, named: idempotency.NamedOperation) -> bool:
    """Return whether the request's key names this operation already; raise KeyUsed where it may not."""
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


def _key_of_debit(new: NewPayment) -> str:
    return operation_key(
        Operation.DEBIT, new.order_id, debit_id=None, amount_cents=new.amount_cents, idempotency_key=None
    )


async def _leave_guard(tx: Transaction, new: NewPayment, key: str, life_ms: int) -> None:
    left = await tx.one(
        _LEAVE_GUARD,
        merchant_id=new.merchant_id,
        guard_key=key,
        succeeded=State.SUCCEEDED.value,
        life_ms=life_ms,
    )
    if left is not None:
        await record(tx, left.id, "guard_left", State.SUCCEEDED, {"order_number_taken_by": new.id})


async def _insert_row(tx: Transaction, new: NewPayment, key: str, debit_id: str | None) -> Accepted | None:
    state = State.QUEUED if new.terminal_address is not None else State.UNREACHABLE
    reason = None if new.terminal_address is not None else Reason.NO_ADDRESS
    row = await tx.one(
        _INSERT,
        id=new.id,
        merchant_id=new.merchant_id,
        order_id=new.order_id,
        operation=new.operation.value,
        operation_key=key,
        guard_key=key,
        idempotency_key=new.idempotency_key,
        debit_id=debit_id,
        state=state.value,
        reason=reason,
        amount_cents=new.amount_cents,
        currency=new.currency,
        protocol=new.protocol,
        force_authorization=new.force_authorization,
        host=new.host,
        port=new.port,
        terminal_address=new.terminal_address,
        pos_number=new.pos_number,
        profile=new.profile,
        request=new.request,
        webhook_endpoint_id=new.webhook_endpoint_id,
        reply_to=new.reply_to,
        traceparent=new.traceparent,
        deadline_ms=int(new.deadline_seconds * 1000),
        ended=state is not State.QUEUED,
        warnings=json_text(list(new.warnings)),
    )
    if row is None:
        return None
    if not blocks_new_attempts(state):
        await tx.run(_GIVE_UP_KEY, id=new.id)
    return Accepted(new.id, state)


async def _write_history(tx: Transaction, new: NewPayment, state: State, debit_id: str | None) -> None:
    detail: dict[str, object] = (
        {"terminal_address": new.terminal_address} if state is State.QUEUED else {"reason": Reason.NO_ADDRESS}
    )
    if new.operation is not Operation.DEBIT:
        # Cancel and Credit carry no reference: what cannot be checked here is the terminal's to check.
        detail["debit"] = debit_id or "unknown"
    await record(tx, new.id, "accepted", state, detail)
    if new.notifies_hipay:
        await add_order_notification(tx, payment_id=new.id, merchant_id=new.merchant_id)
    if state is not State.QUEUED:
        await add_event(tx, await get(tx, new.id), type_of(state, ends_doubt=False))


async def _debit_of(tx: Transaction, new: NewPayment, *, key_is_used: bool) -> KnownDebit | None:
    """Return the debit that a reversal or credit means; None: it has none here. Raises NotAllowed."""
    if new.operation is Operation.DEBIT:
        return None
    ids = await debits.lock(tx, new.merchant_id, _key_of_debit(new), new.operation, new.idempotency_key)
    if not ids:
        return None
    asked = GivingBack(
        new.operation, new.amount_cents, new.terminal_address, new.idempotency_key, key_is_used
    )
    return choose_debit(asked, await debits.read(tx, ids))


async def _attach(
    database: Database, new: NewPayment, guard_key: str, replay_ms: float
) -> Attached | Conflict | None:
    row = await database.read(
        lambda tx: tx.one(_COUNTING_ATTEMPT, merchant_id=new.merchant_id, guard_key=guard_key)
    )
    if row is None:
        return None  # it ended as a failure meanwhile: insert again
    payment = payment_of(row)
    if payment.key_closed:
        # Closed since the insert looked, or by a contradiction of the very attempt that counts.
        return await _closed(database, payment.id)
    if payment.amount_cents != new.amount_cents:
        return Conflict("different", "the order is known with another amount", payment)
    if not new.means_terminal_of(payment):
        return Conflict("different", "the order is known on another terminal", payment)
    if payment.state is State.SUCCEEDED and row.ended_ms_ago > replay_ms:
        return Conflict("used", "the order was paid some time ago", payment)
    return Attached(payment)


async def _get(database: Database, payment_id: str) -> Payment:
    row = await database.read(lambda tx: tx.one(_GET, payment_id=payment_id))
    assert row is not None
    return payment_of(row)


async def _closed(database: Database, payment_id: str) -> Conflict:
    """Refuse an attempt of a closed key, with the payment that closed it."""
    row = await database.read(lambda tx: tx.one(_CONTRADICTED, payment_id=payment_id))
    assert row is not None, "only a contradiction closes a key"
    description = "the outcome of this order was contradicted: a person decides"
    return Conflict("key_closed", description, payment_of(row))
