"""The takeover of terminal locks from dead workers.

A worker is stale when its counter stood still for ten seconds of our own clock while the database answered.
Takeover, not redelivery, recovers a payment: whatever the dead worker did, the payment is in doubt.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.metrics import Metrics
from shared.payment.evidence import Source
from shared.payment.payment import Payment
from shared.payment.states import FINAL_STATES, State
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_token
from shared.runtime.resilience import failures_logged, one_of_many
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, Database
from shared.storage.terminals import takeover
from shared.storage.terminals.heartbeats import Heartbeats
from shared.storage.terminals.locks import LockTokens
from shared.storage.terminals.takeover import HeldLock, TakenOver
from terminal_worker.recovery.doubt_leases import DoubtLeases
from terminal_worker.recovery.heartbeat import Observer
from terminal_worker.recovery.lease import Lease
from terminal_worker.session.request_builder import doubt_window_of

_log = structlog.get_logger()

#: Evidence of the terminal itself: once it settles a doubt, the terminal is past the request.
_BY_THE_TERMINAL: Final = frozenset({Source.ENQUIRY, Source.LATE_ANSWER})


class Recovery:
    """Checks the workers' counters at each heartbeat and takes the locks of stale ones over."""

    def __init__(
        self,
        *,
        database: Database,
        heartbeats: Heartbeats,
        doubts: DoubtLeases,
        tokens: LockTokens,
        reply_publisher: ReplyPublisher,
        observer: Observer,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        worker: str,
        random_bytes: RandomBytes,
    ) -> None:
        self._database: Final = database
        self._heartbeats: Final = heartbeats
        self._doubts: Final = doubts
        self._tokens: Final = tokens
        self._reply_publisher: Final = reply_publisher
        self._observer: Final = observer
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._worker: Final = worker
        self._random_bytes: Final = random_bytes
        self._orphan_scan_at = clock.monotonic() + settings.orphan_scan_interval_seconds
        #: Takeovers whose commit's answer was lost, by token: terminal address and boot-time of sending. A
        #: committed one keeps other workers out, so each is read back until there is an answer.
        self._unknown: Final[dict[str, tuple[str, float]]] = {}

    async def run(self) -> None:
        """Check at each heartbeat, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            with failures_logged("workers not checked"):
                await self.look()

    async def look(self) -> None:
        """Take over the locks of stale workers, and those of this worker that no task of it owns.

        Raises DatabaseUnavailable: the next check does everything again, and a lock that failed.
        """
        for token in list(self._unknown):
            with one_of_many("takeover not read back"):
                await self._read_back(token)
        # Tokens, then locks, then tokens again: a run that begins or ends meanwhile is in one of them.
        known = self._known_tokens()
        # Locks first, then counters: a worker registers before its first claim, so a held lock whose worker
        # has no counter belongs to a dead one.
        asked_at = self._clock.monotonic()
        held = await takeover.held_locks(self._database)
        known |= self._known_tokens()
        counters = await self._heartbeats.counters()
        stale = self._observer.stale_workers(counters, asked_at=asked_at, answered_at=self._clock.monotonic())
        self._metrics.terminals.workers(alive=len(counters) - len(stale), stale=len(stale))
        for lock in held:
            with one_of_many("terminal lock not taken over", terminal_address=lock.address):
                if lock.worker == self._worker:
                    if lock.token not in known:
                        await self._take_back(lock)
                elif lock.worker not in counters or lock.worker in stale:
                    await self._take_over(lock, counters.get(lock.worker))
        holders = {lock.worker for lock in held}
        for worker in self._observer.gone_workers():
            if worker not in holders:
                with one_of_many("row of a dead worker not deleted", worker_id=worker):
                    await self._heartbeats.leave(worker)
        if asked_at >= self._orphan_scan_at:
            self._orphan_scan_at = asked_at + self._settings.orphan_scan_interval_seconds
            await self._scan_orphans()

    def _known_tokens(self) -> frozenset[str]:
        """Return the tokens of locks that a task or a lease of this worker owns."""
        return self._tokens.now() | self._doubts.tokens()

    async def _take_back(self, lock: HeldLock) -> None:
        """Take back the lock of a run that ended without releasing it, as if its worker had died."""
        _log.error("terminal lock held by no task", terminal_address=lock.address, epoch=lock.epoch)
        await self._acquire(
            lock,
            lambda token: takeover.take_back(
                self._database, lock, token=token, lease_seconds=self._settings.lease_seconds
            ),
        )

    async def _take_over(self, lock: HeldLock, seen_counter: int | None) -> None:
        await self._acquire(
            lock,
            lambda token: takeover.take_over(
                self._database,
                self._heartbeats,
                lock,
                seen_counter=seen_counter,
                worker=self._worker,
                token=token,
                lease_seconds=self._settings.lease_seconds,
            ),
        )

    async def _acquire(self, lock: HeldLock, take: Callable[[str], Awaitable[TakenOver | None]]) -> None:
        # Counted from before the statement is sent: the lease must not end before the row says so.
        started_at = self._clock.boot()
        token = new_token(self._random_bytes)
        try:
            taken_over = await take(token)
        except CommitUnknown:
            self._unknown[token] = (lock.address, started_at)
            await self._read_back(token)
            return
        if taken_over is not None:
            await self._adopt(taken_over, started_at)

    async def _read_back(self, token: str) -> None:
        """Adopt the lock if it carries this token; else it is taken over at a later check."""
        address, started_at = self._unknown[token]
        taken_over = await takeover.read_back(self._database, address, token)
        del self._unknown[token]
        if taken_over is not None:
            await self._adopt(taken_over, started_at)

    async def _adopt(self, taken_over: TakenOver, started_at: float) -> None:
        self._add_lease(taken_over, started_at)
        with failures_logged("takeover not counted"):
            self._metrics.takeovers.inc()
            _log.warning(
                "terminal lock taken over",
                terminal_address=taken_over.grant.address,
                payment_id=taken_over.grant.payment_id,
            )
        if taken_over.claimed is not None and taken_over.claimed.payment.state not in FINAL_STATES:
            await self._notify(taken_over.claimed.payment)

    def _add_lease(self, taken_over: TakenOver, started_at: float) -> None:
        settings, claimed = self._settings, taken_over.claimed
        if claimed is None or claimed.payment.state in FINAL_STATES:
            # Whatever the dead worker still does at this terminal has ended by then.
            free_at = started_at + settings.takeover_free_after_seconds
            self._doubts.add(
                Lease(
                    grant=taken_over.grant,
                    started_at=started_at,
                    doubt_ends_at=free_at,
                    ends_at=free_at,
                    identify_next=claimed is not None and _may_show_amount(claimed.payment),
                )
            )
            return
        # Nothing is released within the takeover's margin, however short the window is set.
        window = max(doubt_window_of(claimed, settings), settings.takeover_free_after_seconds)
        self._doubts.add(
            Lease(
                grant=taken_over.grant,
                started_at=started_at,
                doubt_ends_at=started_at + window,
                ends_at=started_at + window + settings.lease_after_doubt_seconds,
                frees_from=started_at + settings.takeover_free_after_seconds,
                claimed=claimed,
            )
        )

    async def _notify(self, payment: Payment) -> None:
        with failures_logged("payment not counted", payment_id=payment.id):
            self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
        await self._reply_publisher.reply(payment.id, payment.reply_to)

    async def _scan_orphans(self) -> None:
        for payment_id in await takeover.orphans(self._database):
            with one_of_many("orphaned payment not doubted", payment_id=payment_id):
                payment = await takeover.doubt_orphan(self._database, payment_id)
                if payment is not None:
                    with failures_logged("orphan not counted", payment_id=payment.id):
                        self._metrics.orphans.inc()
                        self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
                        _log.error("orphaned in_session payment", payment_id=payment.id)
                    await self._reply_publisher.reply(payment.id, payment.reply_to)


def _may_show_amount(payment: Payment) -> bool:
    """Return whether the terminal may still show a final payment's amount.

    It may after a doubt that evidence from elsewhere settled; a payment that was not sent was never shown.
    """
    if payment.doubted_at is None or payment.state is State.UNREACHABLE:
        return False
    return payment.resolved_by not in _BY_THE_TERMINAL
