"""Messages after a commit: the reply to a waiting API process, and a freed terminal's next payment.

Both are wake-ups only, so a lost one costs time, never a result: a waiting API process reads the states of
its payments in the database, and the workers' sweep publishes again.
"""

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from shared.broker.errors import NotRouted
from shared.broker.interfaces import MessagePublisher
from shared.broker.messages import PaymentMessage, ReplyMessage
from shared.metrics.metrics import Metrics
from shared.payment.payment import Payment
from shared.runtime.clock import Clock
from shared.runtime.lanes import Lanes
from shared.runtime.resilience import failures_logged
from shared.storage.db.engine import Database
from shared.storage.investigation.origins import working_for
from shared.storage.payments import claims, queue
from shared.storage.payments.queue import QueuedPayment

_log = structlog.get_logger()


#: Terminals that one statement looks at, and statements at once, each past the first because the others hang.
_LOOKS_TOGETHER: Final = 100
_LOOKS_AT_ONCE: Final = 2
#: A look that is under way for longer keeps the next one waiting no more.
_PATIENCE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Freed:
    """A terminal whose lock was released by a commit before `freed_at` (monotonic seconds)."""

    terminal_address: str
    freed_at: float


async def publish_queued(publisher: MessagePublisher, found: QueuedPayment) -> None:
    """Publish a queued payment for the request that it was stored for. Raises as `publish_payment` does."""
    trace = found.origin.trace
    with working_for(found.origin, payment_id=found.payment_id):
        await publisher.publish_payment(
            PaymentMessage(found.payment_id, found.reply_to),
            traceparent=None if trace is None else trace.traceparent,
        )


class ReplyPublisher:
    """The publisher of wake-ups after a commit; a failure is counted and logged, never raised."""

    def __init__(
        self, database: Database, publisher: MessagePublisher, metrics: Metrics, clock: Clock
    ) -> None:
        self._database: Final = database
        self._publisher: Final = publisher
        self._metrics: Final = metrics
        self._clock: Final = clock
        self._under_way: Final[set[asyncio.Task[None]]] = set()
        #: Terminals that are freed while a statement is under way are looked at together by the next one.
        self._looks: Final = Lanes(
            self._look,
            most=_LOOKS_TOGETHER,
            lanes=_LOOKS_AT_ONCE,
            patience_seconds=_PATIENCE_SECONDS,
            context=contextvars.copy_context(),
        )

    def reply_soon(self, payment_id: str, reply_to: str | None) -> None:
        """Wake the API process that waits for this payment, without waiting for the confirmation."""
        if reply_to is None:
            return
        task = asyncio.create_task(self.reply(payment_id, reply_to), name=f"reply {payment_id}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Wait for the replies that are under way; the publish time-out bounds each."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def reply(self, payment_id: str, reply_to: str | None) -> None:
        """Wake the API process that waits for this payment; call it once after the commit of its end."""
        if reply_to is None:
            return
        with failures_logged("reply not sent", payment_id=payment_id):
            try:
                await self._publisher.reply(reply_to, ReplyMessage(payment_id))
            except NotRouted:
                self._metrics.reply_lost("requester_gone")
            except Exception:
                self._metrics.reply_lost("broker_unavailable")
                raise

    async def publish_next(self, terminal_address: str) -> None:
        """Publish a terminal's next payment; call it after the commit that frees the terminal lock.

        A client that sends its next order upon the reply has that one published by the API, not here again.
        """
        freed = _Freed(terminal_address, self._clock.monotonic())
        with failures_logged("next payment not published", terminal_address=terminal_address):
            found = await self._looks.run(freed)
            if found is not None:
                await publish_queued(self._publisher, found)

    async def _look(self, freed: Sequence[_Freed], _: bool) -> list[QueuedPayment | None]:
        """Return the next payment of each freed terminal, once where one was freed several times."""

        def ms_ago(freed_at: float) -> Callable[[], int]:
            return lambda: int((self._clock.monotonic() - freed_at) * 1000)

        # The last release counts: a payment stored before it may have found the lock held.
        found = await queue.next_for_terminals(
            self._database, {one.terminal_address: ms_ago(one.freed_at) for one in freed}
        )
        return [found.pop(one.terminal_address, None) for one in freed]

    async def expire(self, payment_id: str) -> Payment | None:
        """Expire a queued payment whose deadline has passed, and publish it; None: it is not queued any more.

        Raises DatabaseUnavailable and CommitUnknown, nothing after the commit.
        """
        payment = await claims.expire(self._database, payment_id)
        if payment is None:
            return None
        with failures_logged("payment not counted", payment_id=payment.id):
            self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
            _log.info("payment expired", payment_id=payment.id, reason=payment.reason)
        await self.reply(payment.id, payment.reply_to)
        if payment.terminal_address is not None:
            await self.publish_next(payment.terminal_address)
        return payment
