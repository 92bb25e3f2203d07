"""What this worker does for the dead: it notices that they are, and takes their lines over.

A worker is stale when its counter stood still for ten seconds of our own clock while the database answered.
Takeover, not redelivery, recovers a payment: whatever the dead one did, the payment is in doubt.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.broker.reply_publisher import ReplyPublisher
from shared.payment.evidence import Source
from shared.payment.payment import Payment
from shared.payment.states import FINAL_STATES, State
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_token
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import failures_logged, one_of_many
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, Database
from shared.storage.terminals import takeover
from shared.storage.terminals.heartbeats import Heartbeats
from shared.storage.terminals.takeover import HeldLock, TakenOver
from terminal_worker.recovery.doubt_leases import Doubts, Lease
from terminal_worker.recovery.lock_tokens import LockTokens
from terminal_worker.recovery.observer import Observer
from terminal_worker.session.request_builder import doubt_window_of

_log = structlog.get_logger()

#: What settles a doubt by the terminal's own word: it is past the request then.
_BY_THE_TERMINAL: Final = frozenset({Source.ENQUIRY, Source.LATE_ANSWER})


class Recovery:
    """One look a heartbeat: at the others' counters and at the lines they hold."""

    def __init__(
        self,
        *,
        database: Database,
        heartbeats: Heartbeats,
        doubts: Doubts,
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
        #: Takeovers whose commit's answer was lost, by token: the line, and when it was sent (boot-time).
        #: Where it was carried out nobody else takes the line, so each is read back until there is an answer.
        self._unknown: Final[dict[str, tuple[str, float]]] = {}

    async def run(self) -> None:
        """Look in the rhythm of the heartbeat, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            with failures_logged("no look at the others"):
                await self.look()

    async def look(self) -> None:
        """Take over what is stale, and what this worker holds without knowing of it.

        Raises DatabaseUnavailable: the next look does it again, as it does what fails for one line.
        """
        for token in list(self._unknown):
            with one_of_many("takeover not read back"):
                await self._read_back(token)
        # Tokens, then lines, then tokens again: a run that begins or ends meanwhile is known by one of them.
        known = self._known_tokens()
        # Lines first, then counters: a worker registers before its first claim, so a held line whose worker
        # has no counter belongs to a dead one.
        asked_at = self._clock.monotonic()
        held = await takeover.held_locks(self._database)
        known |= self._known_tokens()
        counters = await self._heartbeats.counters()
        stale = self._observer.saw(counters, asked_at=asked_at, answered_at=self._clock.monotonic())
        for lock in held:
            with one_of_many("line not taken over", terminal_address=lock.address):
                if lock.worker == self._worker:
                    if lock.token not in known:
                        await self._take_back(lock)
                elif lock.worker not in counters or lock.worker in stale:
                    await self._take_over(lock, counters.get(lock.worker))
        holders = {lock.worker for lock in held}
        for worker in self._observer.long_gone():
            if worker not in holders:
                with one_of_many("row of a dead worker not deleted", worker_id=worker):
                    await self._heartbeats.leave(worker)
        if asked_at >= self._orphan_scan_at:
            self._orphan_scan_at = asked_at + self._settings.orphan_scan_interval_seconds
            await self._scan_orphans()

    def _known_tokens(self) -> frozenset[str]:
        """Return the tokens of lines that a task or a hold of this worker answers for."""
        return self._tokens.now() | self._doubts.tokens()

    async def _take_back(self, lock: HeldLock) -> None:
        """A run ended without giving its line back: hold it on as if its worker had died."""
        _log.error("line held by no task", terminal_address=lock.address, epoch=lock.epoch)
        await self._grant(
            lock,
            lambda token: takeover.take_back(
                self._database, lock, token=token, lease_seconds=self._settings.lease_seconds
            ),
        )

    async def _take_over(self, lock: HeldLock, seen_counter: int | None) -> None:
        await self._grant(
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

    async def _grant(self, lock: HeldLock, take: Callable[[str], Awaitable[TakenOver | None]]) -> None:
        # Counted from before the statement is sent: the hold must not end before a reader of the row expects.
        started_at = self._clock.boot()
        token = new_token(self._random_bytes)
        try:
            taken = await take(token)
        except CommitUnknown:
            self._unknown[token] = (lock.address, started_at)
            await self._read_back(token)
            return
        if taken is not None:
            await self._taken(taken, started_at)

    async def _read_back(self, token: str) -> None:
        """It is ours if the line carries this token; else somebody, we too, takes it over at a later look."""
        address, started_at = self._unknown[token]
        taken = await takeover.read_back(self._database, address, token)
        del self._unknown[token]
        if taken is not None:
            await self._taken(taken, started_at)

    async def _taken(self, taken: TakenOver, started_at: float) -> None:
        self._hold(taken, started_at)
        with failures_logged("takeover not counted"):
            self._metrics.takeovers.inc()
            _log.warning(
                "line taken over", terminal_address=taken.grant.address, payment_id=taken.grant.payment_id
            )
        if taken.claimed is not None and taken.claimed.payment.state not in FINAL_STATES:
            await self._told(taken.claimed.payment)

    def _hold(self, taken: TakenOver, started_at: float) -> None:
        settings, claimed = self._settings, taken.claimed
        if claimed is None or claimed.payment.state in FINAL_STATES:
            # Whatever the dead one still does on this line has ended by then.
            free_at = started_at + settings.takeover_free_after_seconds
            self._doubts.keep(
                Lease(
                    grant=taken.grant,
                    started_at=started_at,
                    doubt_ends_at=free_at,
                    ends_at=free_at,
                    marks=claimed is not None and _may_still_show(claimed.payment),
                )
            )
            return
        # Nothing is freed within the taker's margin, however short the window is set.
        window = max(doubt_window_of(claimed, settings), settings.takeover_free_after_seconds)
        self._doubts.keep(
            Lease(
                grant=taken.grant,
                started_at=started_at,
                doubt_ends_at=started_at + window,
                ends_at=started_at + window + settings.lease_after_doubt_seconds,
                frees_from=started_at + settings.takeover_free_after_seconds,
                claimed=claimed,
            )
        )

    async def _told(self, payment: Payment) -> None:
        with failures_logged("payment not counted", payment_id=payment.id):
            self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
        await self._reply_publisher.reply(payment.id, payment.reply_to)

    async def _scan_orphans(self) -> None:
        for payment_id in await takeover.orphans(self._database):
            with one_of_many("orphaned payment not doubted", payment_id=payment_id):
                payment = await takeover.doubt_orphan(self._database, payment_id)
                if payment is not None:
                    self._metrics.orphans.inc()
                    _log.error("payment in session that no line names", payment_id=payment.id)
                    await self._reply_publisher.reply(payment.id, payment.reply_to)


def _may_still_show(payment: Payment) -> bool:
    """Tell whether a terminal may still show the amount of a final payment: it was in doubt, and settled by
    somebody else's word. One that was not sent in the end was never shown."""
    if payment.doubted_at is None or payment.state is State.UNREACHABLE:
        return False
    return payment.resolved_by not in _BY_THE_TERMINAL
