"""Requests that wait for the result of a payment, woken by the broker's reply or by the database's state.

A reply is a wake-up, the database is the answer. One statement a second, for requests that attached to
another one's payment and for all that wait longer than a few seconds, covers every lost reply.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from api.limits.attached import AttachedRequests
from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.metrics import Metrics
from shared.payment.payment import Payment
from shared.payment.states import FINAL_STATES, State
from shared.runtime.clock import Clock
from shared.runtime.resilience import failures_logged, log_failure
from shared.runtime.shared_reads import Batches
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import snapshots
from shared.storage.payments.snapshots import PaymentSnapshot

#: States that wake a waiting request.
_WAKING_STATES: Final = FINAL_STATES | {State.IN_DOUBT}


class Waiter:
    """One waiting request, registered while its block runs; it is woken when the state may have changed.

    Thousands wait at once, so each is small: an event has a queue, and a time-out three objects of its own.
    """

    __slots__ = ("_registered", "_sleep", "attached", "is_woken", "known", "payment_id", "since")

    def __init__(
        self, payment_id: str, since: float, attached: bool, registered: "dict[str, dict[Waiter, None]]"
    ) -> None:
        self.payment_id: Final = payment_id
        self.since: Final = since
        #: The payment's reply goes to another process, or to none.
        self.attached: Final = attached
        self.is_woken = False
        #: The state that was read last: the same doubt does not wake it again.
        self.known: State | None = None
        #: Done when the request is woken or its time is over.
        self._sleep: asyncio.Future[None] | None = None
        self._registered: Final = registered

    def __enter__(self) -> "Waiter":
        self._registered.setdefault(self.payment_id, {})[self] = None
        return self

    def __exit__(self, *_: object) -> None:
        remaining = self._registered[self.payment_id]
        del remaining[self]
        if not remaining:
            del self._registered[self.payment_id]

    def wake(self) -> None:
        self.is_woken = True
        if self._sleep is not None:
            _end_sleep(self._sleep)

    async def until_woken(self, seconds: float) -> None:
        """Wait until the request is woken, at most so long; a wake-up from here on wakes it again.

        So the row is read afterwards.
        """
        if not self.is_woken:
            loop = asyncio.get_running_loop()
            self._sleep = loop.create_future()
            timer = loop.call_later(seconds, _end_sleep, self._sleep)
            try:
                await self._sleep
            finally:
                timer.cancel()
                self._sleep = None
        self.is_woken = False


def _end_sleep(sleep: "asyncio.Future[None]") -> None:
    if not sleep.done():
        sleep.set_result(None)


class Waiters:
    """Every waiting request of this process, by payment."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics, settings: Settings) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._waiters: Final[dict[str, dict[Waiter, None]]] = {}
        metrics.watch_waiting(lambda: sum(map(len, self._waiters.values())))

    def waiting(self, payment_id: str, *, attached: bool) -> Waiter:
        """Return a waiting request; its block begins before the message is published."""
        return Waiter(payment_id, self._clock.monotonic(), attached, self._waiters)

    def replied(self, payment_id: str) -> None:
        """Wake the requests of a payment whose reply came."""
        if self._wake(payment_id):
            self._metrics.reply_came("broker")

    def _wake(self, payment_id: str, state: State | None = None) -> bool:
        asleep = [
            waiter
            for waiter in self._waiters.get(payment_id, ())
            if not waiter.is_woken and (state is None or waiter.known is not state)
        ]
        for waiter in asleep:
            waiter.wake()
        return bool(asleep)

    async def run(self) -> None:
        """Read the states periodically until cancelled."""
        while True:
            await asyncio.sleep(self._settings.reply_poll_seconds)
            with failures_logged("states of waiting payments not read"):
                await self.ask()

    async def ask(self) -> None:
        """Wake the requests whose payment changed its state. Raises DatabaseUnavailable."""
        before = self._clock.monotonic() - self._settings.reply_poll_after_seconds
        asked = [
            payment_id
            for payment_id, waiters in self._waiters.items()
            if any(waiter.attached or waiter.since <= before for waiter in waiters)
        ]
        if not asked:
            return
        for payment_id, state in (await snapshots.states(self._database, asked)).items():
            if state in _WAKING_STATES and self._wake(payment_id, state):
                self._metrics.reply_came("database")


#: Pause before the next read, where the database was unavailable or its clock is a little behind ours.
_LOOK_AGAIN_SECONDS: Final = 0.5
#: Payments that one statement reads.
_BATCH: Final = 500
_EXPIRING_AT_ONCE: Final = 2


class ResultWaiter:
    """A reader of payments for waiting requests; none of them occupies a connection while it waits."""

    def __init__(
        self,
        *,
        database: Database,
        reply_publisher: ReplyPublisher,
        waiters: Waiters,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
    ) -> None:
        self._database: Final = database
        self._reply_publisher: Final = reply_publisher
        self._waiters: Final = waiters
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._snapshots: Final = Batches(lambda ids: snapshots.snapshots(database, ids), most=_BATCH)
        self._attached_requests: Final = AttachedRequests(settings.attached_request_limit_per_merchant)
        #: Requests whose deadlines pass together must not take all connections: the sweep expires, too.
        self._expiring: Final = asyncio.Semaphore(_EXPIRING_AT_ONCE)

    async def snapshot(self, payment_id: str) -> PaymentSnapshot:
        """Return a payment that is known to exist, as it is now. Raises DatabaseUnavailable.

        Any number of requests that are woken together share one connection.
        """
        snapshot = await self._snapshots.get(payment_id)
        assert snapshot is not None, "a payment that is waited for is not deleted"
        return snapshot

    async def settled(self, payment: Payment, wait_seconds: float) -> PaymentSnapshot:
        """Wait until a payment is settled, through its doubt too, or the time is over."""
        started_at = self._clock.monotonic()
        with self._attached(payment) as (waiter, may_wait):
            ends_at = started_at + wait_seconds if may_wait else started_at
            return await self._until(waiter, started_at=started_at, ends_at=ends_at, in_doubt_seconds=None)

    async def of_equal_order(
        self, payment: Payment, started_at: float, wait_seconds: float
    ) -> PaymentSnapshot:
        """Wait for the result of the payment that an equal order began, as `of_order`."""
        with self._attached(payment) as (waiter, may_wait):
            return await self.of_order(waiter, started_at, wait_seconds if may_wait else 0)

    @contextmanager
    def _attached(self, payment: Payment) -> Iterator[tuple[Waiter, bool]]:
        """Yield a waiting request; False: its merchant has too many, so that it looks once."""
        with (
            self._attached_requests.one_more(payment.merchant_id) as may_wait,
            self._waiters.waiting(payment.id, attached=True) as waiter,
        ):
            yield waiter, may_wait

    async def of_order(self, waiter: Waiter, started_at: float, wait_seconds: float) -> PaymentSnapshot:
        """Wait for an order's result; one in doubt is returned after caller_wait_in_doubt_seconds.

        Raises DatabaseUnavailable, CommitUnknown where the database is unavailable when the time is over.
        """
        return await self._until(
            waiter,
            started_at=started_at,
            ends_at=started_at + wait_seconds,
            in_doubt_seconds=self._settings.caller_wait_in_doubt_seconds,
        )

    async def _until(
        self, waiter: Waiter, *, started_at: float, ends_at: float, in_doubt_seconds: float | None
    ) -> PaymentSnapshot:
        """Wait until the payment ended or the time is over; expire it where no worker claimed it in time."""
        expire_at = started_at + self._settings.queue_deadline_seconds
        look_at = expire_at
        while True:
            await waiter.until_woken(max(0.0, min(ends_at, look_at) - self._clock.monotonic()))
            now = self._clock.monotonic()
            try:
                snapshot = await self._look(waiter.payment_id, past_deadline=now >= expire_at)
            except Exception as error:
                if now >= ends_at:
                    raise
                # The payment goes on whatever is wrong here: the request waits for it.
                log_failure("payment not read for a waiting request", error)
                look_at = now + _LOOK_AGAIN_SECONDS
                continue
            waiter.known = snapshot.payment.state
            if snapshot.payment.is_final or now >= ends_at:
                # A request that attaches may begin when the session is nearly over: it adds nothing.
                if not waiter.attached:
                    with failures_logged("added time not measured"):
                        self._note_added(snapshot.payment, started_at)
                return snapshot
            match snapshot.payment.state:
                case State.IN_DOUBT if in_doubt_seconds is not None:
                    # By the database's clock: a request that attaches to an old doubt waits for the rest.
                    left = in_doubt_seconds - snapshot.doubt_age_seconds
                    if left <= 0:
                        return snapshot
                    look_at = now + left
                case State.QUEUED:
                    look_at = max(expire_at, now + _LOOK_AGAIN_SECONDS)
                case _:
                    look_at = ends_at

    async def _look(self, payment_id: str, *, past_deadline: bool) -> PaymentSnapshot:
        snapshot = await self.snapshot(payment_id)
        if not past_deadline or snapshot.payment.state is not State.QUEUED:
            # Most sessions outlast the deadline: their ends are read in batches, and lock nothing.
            return snapshot
        async with self._expiring:
            expired = await self._reply_publisher.expire(payment_id)
        return (
            await self.snapshot(payment_id)
            if expired is None
            else PaymentSnapshot(expired, 0, terminal_is_locked=False)
        )

    def _note_added(self, payment: Payment, started_at: float) -> None:
        """Observe the time that we added: all of the request but the terminal's session."""
        if payment.claimed_at is None or payment.ended_at is None:
            return
        total_seconds = self._clock.monotonic() - started_at
        self._metrics.answered(total_seconds, (payment.ended_at - payment.claimed_at) / 1000)
