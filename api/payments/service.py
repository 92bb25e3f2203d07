"""One payment from its request to its answer: store, publish, wait, answer what is stored."""

from dataclasses import dataclass
from typing import Final, Self

import structlog

from api.connector.request import OrderRequest
from api.http.errors import DatabaseOutage, OverloadedUnchecked
from api.http.server.access import note_response
from api.limits.admission import Slot
from api.payments.errors import (
    Contended,
    KeyConflict,
    OrderConflict,
    OrderLocked,
)
from api.payments.intake import Intake, RequestContext
from api.payments.waiters import ResultWaiter, Waiters
from api.terminals.lookup import Terminals
from api.terminals.targets import TerminalAddressFinders
from shared.broker.interfaces import MessagePublisher, ReplyListener
from shared.broker.messages import PaymentMessage
from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.metrics import Metrics
from shared.payment.answers import ResponseSpec, response_for
from shared.payment.payment import Payment, Reason
from shared.payment.states import FINAL_STATES, State
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_payment_id
from shared.runtime.logging import bound
from shared.runtime.outage_lines import log_outage
from shared.runtime.resilience import Failpoint, failures_logged, log_failure, no_failpoint
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, Database, DatabaseBusy, DatabaseUnavailable
from shared.storage.payments import claims
from shared.storage.payments.new_payment import (
    Acceptance,
    Accepted,
    Attached,
    Conflict,
    Contention,
    NewPayment,
    UnknownOrder,
)
from shared.storage.payments.snapshots import PaymentSnapshot

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answered:
    """The payment as it is stored now.

    `replayed` marks the result of an earlier request. `resolving` is True where something may still settle it
    by itself, None once it is settled.
    """

    payment: Payment
    spec: ResponseSpec
    replayed: bool = False
    resolving: bool | None = None

    @classmethod
    def of(cls, snapshot: PaymentSnapshot) -> Self:
        return cls(snapshot.payment, snapshot.response, resolving=snapshot.resolving)


class Payments:
    """Payments of this process; any number of requests wait at once, without a connection meanwhile."""

    def __init__(
        self,
        *,
        database: Database,
        publisher: MessagePublisher,
        replies: ReplyListener,
        reply_publisher: ReplyPublisher,
        waiters: Waiters,
        finders: TerminalAddressFinders,
        terminals: Terminals,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        random_bytes: RandomBytes,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        self._database: Final = database
        self._publisher: Final = publisher
        self._waiters: Final = waiters
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._random_bytes: Final = random_bytes
        self._failpoint: Final = failpoint
        self._intake: Final = Intake(
            database=database,
            finders=finders,
            terminals=terminals,
            reply_to=replies.name,
            clock=clock,
            settings=settings,
            failpoint=failpoint,
        )
        self.admission: Final = self._intake.admission
        self.stored_bytes: Final = self._intake.stored_bytes
        self.results: Final = ResultWaiter(
            database=database,
            reply_publisher=reply_publisher,
            waiters=waiters,
            clock=clock,
            metrics=metrics,
            settings=settings,
        )

    async def pay(self, order: OrderRequest, context: RequestContext) -> Answered:
        """Return the payment of the order, or of an equal one. Raises the contract's errors."""
        started_at = self._clock.monotonic()
        payment_id = new_payment_id(self._clock, self._random_bytes)
        acceptance: Acceptance
        with (
            bound(payment_id=payment_id),
            _DATABASE_REFUSALS,
            # The waiter is there before the message: a reply cannot come too early.
            self._waiters.waiting(payment_id, attached=False) as waiter,
        ):
            new, acceptance = await self._intake.take(payment_id, order, context)
            if isinstance(acceptance, Accepted):
                begun = await self._begin(acceptance, new)
                # Thousands of requests wait at once; none of them keeps its order meanwhile.
                del order, new
                if isinstance(begun, Answered):
                    return begun
                snapshot = await self.results.of_order(waiter, started_at, self._wait_seconds(context))
                if snapshot.payment.state is not State.QUEUED:
                    self.admission.leave(begun)
                return Answered.of(snapshot)
        return await self._not_inserted(acceptance, context, started_at)

    async def _begin(self, acceptance: Accepted, new: NewPayment) -> Answered | Slot:
        """Publish an accepted payment; return its slot in the queue, or its answer where it has ended."""
        note_response(new.id)
        self.stored_bytes.add(new.merchant_id, new.request)
        if acceptance.state in FINAL_STATES or new.terminal_address is None:
            snapshot = await self.results.snapshot(new.id)
            if new.terminal_address is None:
                with failures_logged("payment not counted"):
                    payment = snapshot.payment
                    self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
            return Answered.of(snapshot)
        slot = self.admission.enter(new.merchant_id, new.terminal_address)
        # A late commit of ours may have been found by the workers' sweep before.
        stopped = await self._publish(new) if acceptance.state is State.QUEUED else None
        if stopped is not None:
            self.admission.leave(slot)
            return Answered(stopped, response_for(stopped))
        return slot

    async def _publish(self, new: NewPayment) -> Payment | None:
        """Publish it; return the payment where the broker is unavailable and it could be cancelled."""
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
            # A worker that claimed it first wins: then there is a result to wait for.
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
                note_response(payment.id)
                with bound(payment_id=payment.id), _DATABASE_REFUSALS:
                    return Answered.of(
                        await self.results.of_equal_order(payment, started_at, self._wait_seconds(context))
                    )
            case Conflict("key_closed", _, payment):
                raise OrderLocked(payment=payment)
            case Conflict("key_used", _, payment):
                raise KeyConflict(payment=payment)
            case Conflict(reason, description, payment):
                raise OrderConflict(reason, description, payment=payment)
            case UnknownOrder():
                raise OrderConflict("unknown")
            case Contention() | Accepted():
                raise Contended

    def _wait_seconds(self, context: RequestContext) -> float:
        """Return the seconds that this request waits: its preference, up to our own limit."""
        preference = context.preference
        wanted = 0 if preference.respond_async else self._settings.caller_wait_seconds
        if preference.wait_seconds is not None:
            wanted = preference.wait_seconds
        return min(wanted, self._settings.caller_wait_seconds)


class _DatabaseRefusals:
    """A block whose database exceptions become the contract's: an exhausted pool is too busy, no outage."""

    __slots__ = ()

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, DatabaseBusy):
            log_outage("database", "order refused: no free database connection")
            raise OverloadedUnchecked from error
        if isinstance(error, DatabaseUnavailable | CommitUnknown):
            log_outage("database", "database unavailable", "error", error=str(error))
            raise DatabaseOutage from error


_DATABASE_REFUSALS: Final = _DatabaseRefusals()
