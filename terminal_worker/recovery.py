"""What this worker does for the dead: it notices that they are, and takes their lines over.

A worker is stale when its counter stood still for ten seconds of our own clock while the database answered.
Takeover, not redelivery, recovers a payment: whatever the dead one did, the payment is in doubt.
"""

import asyncio
from typing import Final

import structlog

from shared.announcing import Announcer
from shared.clock import Clock
from shared.ids import RandomBytes, new_token
from shared.metrics import Metrics
from shared.payment.evidence import Source
from shared.payment.payment import Payment
from shared.payment.states import FINAL_STATES, State
from shared.settings.settings import Settings
from shared.storage import takeover
from shared.storage.engine import CommitUnknown, Database, DatabaseAway
from shared.storage.heartbeats import Heartbeats
from shared.storage.takeover import HeldLine, TakenOver
from terminal_worker.doubts import Doubts, Hold
from terminal_worker.observer import Observer
from terminal_worker.speaking import doubt_window_of

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
        announcer: Announcer,
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
        self._announcer: Final = announcer
        self._observer: Final = observer
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._worker: Final = worker
        self._random_bytes: Final = random_bytes
        self._net_at = clock.monotonic() + settings.net_interval_seconds
        #: Takeovers whose commit's answer was lost, by token: the line, and when it was sent (boot-time).
        #: Where it was carried out nobody else takes the line, so each is read back until there is an answer.
        self._unknown: Final[dict[str, tuple[str, float]]] = {}

    async def run(self) -> None:
        """Look in the rhythm of the heartbeat, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            try:
                await self.look()
            except (DatabaseAway, CommitUnknown) as error:
                _log.warning("no look at the others", error=str(error))

    async def look(self) -> None:
        """Take over what is stale. Raises DatabaseAway, CommitUnknown: the next look does it again."""
        for token in list(self._unknown):
            await self._read_back(token)
        # Lines first, then counters: a worker registers before its first claim, so a held line whose worker
        # has no counter belongs to a dead one.
        asked_at = self._clock.monotonic()
        held = await takeover.held_by_others(self._database, self._worker)
        counters = await self._heartbeats.counters()
        stale = self._observer.saw(counters, asked_at=asked_at, answered_at=self._clock.monotonic())
        for line in held:
            if line.worker not in counters or line.worker in stale:
                await self._take_over(line, counters.get(line.worker))
        holders = {line.worker for line in held}
        for worker in self._observer.long_gone():
            if worker not in holders:
                await self._heartbeats.leave(worker)
        if asked_at >= self._net_at:
            self._net_at = asked_at + self._settings.net_interval_seconds
            await self._cast_net()

    async def _take_over(self, line: HeldLine, seen_counter: int | None) -> None:
        # Counted from before the statement is sent: the hold must not end before a reader of the row expects.
        started_at = self._clock.boot()
        token = new_token(self._random_bytes)
        try:
            taken = await takeover.take_over(
                self._database,
                self._heartbeats,
                line,
                seen_counter=seen_counter,
                worker=self._worker,
                token=token,
                hold_seconds=self._settings.hold_seconds,
            )
        except CommitUnknown:
            self._unknown[token] = (line.address, started_at)
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
        self._metrics.takeovers.inc()
        _log.warning("line taken over", line=taken.taking.address, payment_id=taken.taking.payment_id)
        await self._hold(taken, started_at)

    async def _hold(self, taken: TakenOver, started_at: float) -> None:
        settings, claimed = self._settings, taken.claimed
        if claimed is None or claimed.payment.state in FINAL_STATES:
            # Whatever the dead one still does on this line has ended by then.
            free_at = started_at + settings.takeover_free_after_seconds
            self._doubts.keep(
                Hold(
                    taking=taken.taking,
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
            Hold(
                taking=taken.taking,
                started_at=started_at,
                doubt_ends_at=started_at + window,
                ends_at=started_at + window + settings.hold_after_doubt_seconds,
                frees_from=started_at + settings.takeover_free_after_seconds,
                claimed=claimed,
            )
        )
        payment = claimed.payment
        self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
        await self._announcer.reply(payment.id, payment.reply_to)

    async def _cast_net(self) -> None:
        for payment in await takeover.doubt_orphans(self._database):
            self._metrics.orphans.inc()
            _log.error("payment in session that no line names", payment_id=payment.id)
            await self._announcer.reply(payment.id, payment.reply_to)


def _may_still_show(payment: Payment) -> bool:
    """Tell whether a terminal may still show the amount of a final payment: it was in doubt, and settled by
    somebody else's word. One that was not sent in the end was never shown."""
    if payment.doubted_at is None or payment.state is State.UNREACHABLE:
        return False
    return payment.resolved_by not in _BY_THE_TERMINAL
