"""One payment from its request to what the caller is told: store, publish, wait, answer what is stored.

Whatever forbids it is an answer only after the order guard was asked: a till that hears 'refused' or 'safe
to retry' charges the customer elsewhere, and an earlier attempt of the same order may be at the terminal.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Self

import structlog

from api.connector.request import OrderRequest
from api.http.errors import (
    ApiError,
    Contended,
    DatabaseOutage,
    KeyClosed,
    KeyConflict,
    MerchantSuspended,
    OrderConflict,
    Overloaded,
    OverloadedUnchecked,
    TooManyOpenPayments,
    TooManyOrders,
    TooManyStoredBytes,
)
from api.http.headers import NO_PREFERENCE, Preference
from api.limits.admission import Admission
from api.limits.overload import AcceptSlots, EarlierLooks, NoSlot
from api.limits.stored_bytes import StoredBytes
from api.payments.result import ResultWaiter
from api.payments.waiters import Waiter, Waiters
from api.terminals.lookup import Terminals
from api.terminals.targets import Target, Targets, TerminalAddressFinders
from api.webhooks.service import warnings_for
from shared.broker.interfaces import MessagePublisher, ReplyListener
from shared.broker.messages import PaymentMessage
from shared.broker.reply_publisher import ReplyPublisher
from shared.payment.answers import ResponseSpec, response_for
from shared.payment.payment import Payment, Reason
from shared.payment.states import FINAL_STATES, State
from shared.runtime.clock import Clock
from shared.runtime.failpoints import Failpoint, no_failpoint
from shared.runtime.ids import RandomBytes, new_payment_id
from shared.runtime.logging import bound
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import failures_logged, log_failure
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, Database, DatabaseBusy, DatabaseUnavailable
from shared.storage.payments import claims, snapshots
from shared.storage.payments.acceptance import accept, find_earlier
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
from shared.storage.payments.snapshots import PaymentSnapshot
from shared.storage.terminals.merchants import Credential

_log = structlog.get_logger()

#: Of the pool, for what is not storing an order: readers of those who wait, expiries, other routes.
_OTHER_CONNECTIONS: Final = 4


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What the request says beside its order."""

    credential: Credential
    idempotency_key: str | None = None
    traceparent: str | None = None
    preference: Preference = NO_PREFERENCE
    #: Why an order of this caller is not accepted now; one with an earlier attempt is answered by that.
    refusal: TooManyOrders | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The payment as it is stored now.

    `replayed`: it is the result of an earlier request. `resolving`: whether anything may still settle it by
    itself, None once it is settled.
    """

    payment: Payment
    told: ResponseSpec
    replayed: bool = False
    resolving: bool | None = None

    @classmethod
    def of(cls, snapshot: PaymentSnapshot) -> Self:
        return cls(snapshot.payment, snapshot.response, resolving=snapshot.resolving)


class Payments:
    """Takes payments in; any number of callers wait at once, none of them holds a connection meanwhile."""

    def __init__(
        self,
        *,
        database: Database,
        publisher: MessagePublisher,
        replies: ReplyListener,
        reply_publisher: ReplyPublisher,
        waiters: Waiters,
        lines: TerminalAddressFinders,
        terminals: Terminals,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        random_bytes: RandomBytes,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        self._database: Final = database
        self._publisher: Final = publisher
        self._replies: Final = replies
        self._reply_publisher: Final = reply_publisher
        self._waiters: Final = waiters
        self._targets: Final = Targets(lines, terminals, settings.pos_number)
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._random_bytes: Final = random_bytes
        self._failpoint: Final = failpoint
        self.admission: Final = Admission(database, settings)
        self.stored_bytes: Final = StoredBytes(database, clock, settings)
        self._slots: Final = AcceptSlots(
            max(1, settings.database_pool_size - _OTHER_CONNECTIONS), settings.accept_wait_seconds, clock
        )
        self._looks: Final = EarlierLooks(database)
        self.results: Final = ResultWaiter(
            database=database,
            reply_publisher=reply_publisher,
            waiters=waiters,
            clock=clock,
            metrics=metrics,
            settings=settings,
        )

    async def pay(self, order: OrderRequest, context: RequestContext) -> Answered:
        """Return what became of the order. Raises the contract's errors."""
        started_at = self._clock.monotonic()
        payment_id = new_payment_id(self._clock, self._random_bytes)
        acceptance: Acceptance
        with bound(payment_id=payment_id):
            try:
                # The waiter is there before the message: a reply cannot come too early.
                with self._waiters.waiting(payment_id, attached=False) as waiter:
                    try:
                        new, acceptance = await self._take(payment_id, order, context)
                    except DatabaseBusy as error:
                        _log.warning("not accepted: no connection to the database is free")
                        raise OverloadedUnchecked from error
                    if isinstance(acceptance, Accepted):
                        return await self._accepted(acceptance, new, waiter, context, started_at)
            except (DatabaseUnavailable, CommitUnknown) as error:
                _log.error("database away", error=str(error))
                raise DatabaseOutage from error
        return await self._not_inserted(acceptance, context, started_at)

    async def _take(
        self, payment_id: str, order: OrderRequest, context: RequestContext
    ) -> tuple[NewPayment, Acceptance]:
        """Store the order as a payment, or return what keeps it out.

        Raises what forbids it, Overloaded where it cannot be stored in time, DatabaseUnavailable,
        CommitUnknown.
        """
        target = await self._targets.find(order, context.credential)
        new = self._new_payment(payment_id, order, context, target)
        refusal: ApiError | None = None
        try:
            new = await self._admitted(new, target, context)
        except (Overloaded, TooManyOrders) as overload:
            if await self._looks.certainly_none(new):
                raise
            refusal = overload
        except ApiError as forbidden:
            refusal = forbidden
        try:
            async with self._slots.slot():
                return new, await self._store(new, context, refusal)
        except NoSlot:
            certain = await self._looks.certainly_none(new)
            _log.warning("not accepted: it would wait too long to be stored", order_known=not certain)
            raise (Overloaded() if certain else OverloadedUnchecked()) from None

    async def _store(self, new: NewPayment, context: RequestContext, refusal: ApiError | None) -> Acceptance:
        """Store the payment, or return what keeps it out. Raises the refusal where nothing else does."""
        if refusal is not None:
            return await self._earlier(new, context, refusal)
        for warning in new.warnings:
            _log.warning("order taken with a warning", warning=warning)
        await self._failpoint("before_insert")
        return await self._accept(new, context)

    async def _admitted(self, new: NewPayment, target: Target, context: RequestContext) -> NewPayment:
        """Return the payment with all its warnings.

        Raises what forbids it: TooManyOrders, MerchantSuspended, the target's refusal,
        UnknownWebhookEndpoint, TooManyStoredBytes, TooManyOpenPayments, Overloaded; and DatabaseUnavailable.
        """
        credential = context.credential
        if context.refusal is not None:
            raise context.refusal
        if credential.suspended_because is not None:
            raise MerchantSuspended(credential.suspended_because)
        if target.refusal is not None:
            raise target.refusal
        if not self.stored_bytes.has_room(new.merchant_id, new.request):
            raise TooManyStoredBytes(math.ceil(self.stored_bytes.day_left_seconds))
        warnings = await warnings_for(self._database, new.merchant_id, new.webhook_endpoint_id)
        if new.terminal_address is not None and not self.admission.has_room(
            new.merchant_id, new.terminal_address
        ):
            raise Overloaded
        if new.terminal_address is not None and not self.admission.may_open(new.merchant_id):
            raise TooManyOpenPayments
        return replace(new, warnings=(*new.warnings, *warnings))

    async def _earlier(self, new: NewPayment, context: RequestContext, refusal: ApiError) -> Earlier:
        """Return the order's earlier attempt as the answer; raise the refusal where there is none."""
        earlier = await find_earlier(self._database, new, self._terms(context))
        if earlier is None:
            _log.warning("not accepted", code=refusal.code, terminal_address=new.terminal_address)
            raise refusal
        return earlier

    def _new_payment(
        self,
        payment_id: str,
        order: OrderRequest,
        context: RequestContext,
        target: Target,
    ) -> NewPayment:
        assert context.credential.merchant_id is not None
        return NewPayment(
            id=payment_id,
            merchant_id=context.credential.merchant_id,
            order_id=order.order_id,
            operation=order.operation,
            idempotency_key=context.idempotency_key,
            amount_cents=order.amount_cents,
            currency=order.currency,
            protocol=order.protocol,
            force_authorization=target.force_authorization,
            host=target.host,
            port=target.port,
            terminal_address=target.terminal_address,
            pos_number=target.pos_number,
            profile=target.profile,
            request=order.request_text,
            webhook_endpoint_id=order.webhook_endpoint_id,
            passes_unknown=context.credential.unknown_orders.pass_on(order.operation),
            notifies_hipay=self._settings.hipay_url is not None,
            reply_to=self._replies.name,
            traceparent=context.traceparent,
            deadline_seconds=self._settings.queue_deadline_seconds,
            warnings=order.warnings,
        )

    async def _accept(self, new: NewPayment, context: RequestContext) -> Acceptance:
        """Store it. After a commit whose answer was lost, look whether it was carried out."""
        try:
            return await accept(self._database, new, self._terms(context))
        except CommitUnknown:
            stored = await snapshots.payment(self._database, new.id)
            if stored is not None:
                return Accepted(stored.id, stored.state)
        # Carried out later than that look, it is found as this payment's own.
        return await accept(self._database, new, self._terms(context))

    def _terms(self, context: RequestContext) -> Terms:
        guard_hours = context.credential.guard_hours
        return Terms(
            replay_seconds=self._settings.replay_window_seconds,
            credit_replay_seconds=self._settings.replay_window_unkeyed_credit_seconds,
            guard_life_seconds=None if guard_hours is None else guard_hours * 3600,
        )

    async def _accepted(
        self,
        acceptance: Accepted,
        new: NewPayment,
        waiter: Waiter,
        context: RequestContext,
        started_at: float,
    ) -> Answered:
        self.stored_bytes.add(new.merchant_id, new.request)
        if acceptance.state in FINAL_STATES or new.terminal_address is None:
            snapshot = await self.results.snapshot(new.id)
            if new.terminal_address is None:
                with failures_logged("payment not counted"):
                    payment = snapshot.payment
                    self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
            return Answered.of(snapshot)
        place = self.admission.enter(new.merchant_id, new.terminal_address)
        # A late commit of ours may have been found by the workers' sweep already.
        stopped = await self._publish(new) if acceptance.state is State.QUEUED else None
        if stopped is not None:
            self.admission.leave(place)
            return Answered(stopped, response_for(stopped))
        snapshot = await self.results.told(waiter, started_at, self._waits(context))
        if snapshot.payment.state is not State.QUEUED:
            self.admission.leave(place)
        return Answered.of(snapshot)

    async def _publish(self, new: NewPayment) -> Payment | None:
        """Publish it; return the payment where the broker is away and it could be stopped."""
        message = PaymentMessage(new.id, new.reply_to)
        await self._failpoint("after_insert")
        try:
            await self._publisher.publish_payment(message, traceparent=new.traceparent)
        except Exception as error:
            log_failure("payment not published", error)
            cancelled = await claims.cancel(self._database, new.id, Reason.BROKER_UNAVAILABLE)
            if cancelled is not None:
                with failures_logged("payment not counted"):
                    self._metrics.payment_ended(cancelled.operation, cancelled.state, cancelled.reason)
            # A worker that claimed it first wins: then there will be an outcome to wait for.
            return cancelled
        await self._failpoint("after_publish")
        return None

    async def _not_inserted(
        self, acceptance: Acceptance, context: RequestContext, started_at: float
    ) -> Answered:
        match acceptance:
            case Attached(payment) if payment.state is State.SUCCEEDED:
                return Answered(payment, response_for(payment), replayed=True)
            case Attached(payment):
                with bound(payment_id=payment.id), self._waiters.waiting(payment.id, attached=True) as waiter:
                    try:
                        return Answered.of(await self.results.told(waiter, started_at, self._waits(context)))
                    except (DatabaseUnavailable, CommitUnknown) as error:
                        raise DatabaseOutage from error
            case Conflict("key_closed", _, payment):
                raise KeyClosed(payment=payment)
            case Conflict("key_used", _, payment):
                raise KeyConflict(payment=payment)
            case Conflict(reason, description, payment):
                raise OrderConflict(reason, description, payment=payment)
            case UnknownOrder():
                raise OrderConflict("unknown")
            case Contention() | Accepted():
                raise Contended

    def _waits(self, context: RequestContext) -> float:
        """How many seconds this caller waits: what it prefers, never more than our own limit."""
        preference = context.preference
        wanted = 0 if preference.respond_async else self._settings.caller_wait_seconds
        if preference.wait_seconds is not None:
            wanted = preference.wait_seconds
        return min(wanted, self._settings.caller_wait_seconds)
