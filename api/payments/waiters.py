"""Requests that wait for the result of a payment, woken by the broker's reply or by the database's state.

A reply is a wake-up, the database is the answer. One statement a second, for requests that attached to
another one's payment and for all that wait longer than a few seconds, covers every lost reply.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

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
    """One waiting request. `woken` is set when the state may have changed; cleared before the row is read."""

    def __init__(self, payment_id: str, since: float, attached: bool) -> None:
        self.payment_id: Final = payment_id
        self.since: Final = since
        #: The payment's reply goes to another process, or to none.
        self.attached: Final = attached
        self.woken: Final = asyncio.Event()
        #: The state that was read last: the same doubt does not wake it again.
        self.known: State | None = None


class Waiters:
    """Every waiting request of this process, by payment."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics, settings: Settings) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._waiters: Final[dict[str, dict[Waiter, None]]] = {}
        metrics.watch_waiting(lambda: sum(map(len, self._waiters.values())))

    @contextmanager
    def waiting(self, payment_id: str, *, attached: bool) -> Iterator[Waiter]:
        """Register a waiting request while the block runs; begin before its message is published."""
        waiter = Waiter(payment_id, self._clock.monotonic(), attached)
        self._waiters.setdefault(payment_id, {})[waiter] = None
        try:
            yield waiter
        finally:
            remaining = self._waiters[payment_id]
            del remaining[waiter]
            if not remaining:
                del self._waiters[payment_id]

    def replied(self, payment_id: str) -> None:
        """Wake the requests of a payment whose reply came."""
        if self._wake(payment_id):
            self._metrics.reply_came("broker")

    def _wake(self, payment_id: str, state: State | None = None) -> bool:
        asleep = [
            waiter
            for waiter in self._waiters.get(payment_id, ())
            if not waiter.woken.is_set() and (state is None or waiter.known is not state)
        ]
        for waiter in asleep:
            waiter.woken.set()
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
        #: Requests whose deadlines pass together must not take all connections: the sweep expires, too.
        self._expiring: Final = asyncio.Semaphore(_EXPIRING_AT_ONCE)

    async def snapshot(self, payment_id: str) -> PaymentSnapshot:
        """Return a payment that is known to exist, as it is now. Raises DatabaseUnavailable.

        Any number of requests that are woken together share one connection.
        """
        snapshot = await self._snapshots.get(payment_id)
        assert snapshot is not None, "a payment that is waited for is not deleted"
        return snapshot

    async def settled(self, payment_id: str, wait_seconds: float) -> PaymentSnapshot:
        """Wait until a payment is settled, through its doubt too, or the time is over."""
        started_at = self._clock.monotonic()
        with self._waiters.waiting(payment_id, attached=True) as waiter:
            return await self._until(
                waiter, started_at=started_at, ends_at=started_at + wait_seconds, in_doubt_seconds=None
            )

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
            await self._until_woken(waiter, min(ends_at, look_at))
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

    async def _until_woken(self, waiter: Waiter, until: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                await waiter.woken.wait()
        except TimeoutError:
            return
        # Before the row is read: a later reply wakes the request again.
        waiter.woken.clear()

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
