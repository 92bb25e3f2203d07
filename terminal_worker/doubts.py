"""The payments in doubt whose line this worker holds: listen on, enquire, and end the hold.

The holder alone ends its hold, by its own boot-time clock: no step of a database's clock may free a line
whose terminal could still be charging a card. It does so at a heartbeat, after whatever runs for the payment
has ended and every connection of it is closed.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from shared.announcing import Announcer
from shared.clock import Clock
from shared.logging import bound
from shared.metrics import Metrics
from shared.payment.evidence import Evidence
from shared.payment.outcome import Result
from shared.payment.payment import Payment
from shared.payment.states import FINAL_STATES, State
from shared.settings.settings import Settings
from shared.storage import early_release, outcomes, waiting
from shared.storage.claims import Claimed
from shared.storage.engine import CommitUnknown, Database, DatabaseAway
from shared.storage.lines import Learned, Taking
from terminal_worker import asking
from terminal_worker.connection import ConnectFailed
from terminal_worker.enquiry import Enquired, Enquirer, LineLost
from terminal_worker.open_ear import OpenEar

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Hold:
    """One held line. Times are boot-time seconds, counted from before the claim or takeover was sent."""

    taking: Taking
    started_at: float
    #: Until then the terminal may still be working on our request.
    doubt_ends_at: float
    ends_at: float
    #: A taker frees nothing and asks nothing before, whatever is learned: the one it took over may still
    #: write until then. None: the session was this worker's own.
    frees_from: float | None = None
    #: What there is to do for the payment; None where the hold only has to be freed.
    claimed: Claimed | None = None
    #: Enquiries may begin at once: our own connection is closed and nobody else's can live.
    enquires_soon: bool = False
    open_ear: OpenEar | None = None
    #: The terminal answered an enquiry (busy is no answer), or late: it is past our request.
    answered: bool = False
    #: It answered an enquiry or an identification: what excuses it from identifications is over.
    answers_questions: bool = False
    #: Freed, the line begins with an identification; for a hold without anything to do for its payment.
    marks: bool = False
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)


class Doubts:
    """Every hold of this worker without a session."""

    def __init__(
        self,
        *,
        database: Database,
        enquirer: Enquirer,
        announcer: Announcer,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        worker: str,
    ) -> None:
        self._database: Final = database
        self._enquirer: Final = enquirer
        self._announcer: Final = announcer
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._worker: Final = worker
        self._held: Final[dict[str, Hold]] = {}
        self._storing: Final[set[asyncio.Task[Payment]]] = set()

    def keep(self, hold: Hold) -> None:
        """Hold this line on; begin what can be done for its payment."""
        self._held[hold.taking.token] = hold
        if hold.claimed is not None:
            hold.task = asyncio.create_task(
                self._resolve(hold, hold.claimed), name=f"doubt {hold.taking.payment_id}"
            )

    def __len__(self) -> int:
        return len(self._held)

    async def run(self) -> None:
        """End what is due, in the rhythm of the heartbeat, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            await self.end_due()

    async def close(self) -> None:
        """Stop enquiring and listening; the lines stay held for whoever takes them over."""
        for hold in self._held.values():
            await _stop(hold)
        if self._storing:
            await asyncio.wait(self._storing, timeout=self._settings.heartbeat_seconds)

    async def end_due(self) -> None:
        """At a heartbeat: free every line that need not be held on; what fails is tried at the next one."""
        if not self._held:
            return
        try:
            ids = [hold.taking.payment_id for hold in self._held.values() if hold.claimed is not None]
            states = await waiting.states(self._database, ids)
            asked = {
                (request.address, request.epoch): request.by
                for request in await early_release.requests(self._database, self._worker)
            }
            for hold in list(self._held.values()):
                asked_by = asked.get((hold.taking.address, hold.taking.epoch))
                state = states.get(hold.taking.payment_id)
                why = self._why_free(hold, state, asked_by)
                if why is not None:
                    await self._free(hold, why, early=asked_by is not None)
                elif asked_by is not None:
                    await early_release.drop(self._database, hold.taking)
        except (DatabaseAway, CommitUnknown) as error:
            _log.warning("holds not ended, trying again", error=str(error), holds=len(self._held))

    def _why_free(self, hold: Hold, state: State | None, asked_by: str | None) -> str | None:
        now = self._clock.boot()
        if now >= hold.ends_at:
            return "time is over"
        if hold.claimed is None or (hold.frees_from is not None and now < hold.frees_from):
            return None
        if state in FINAL_STATES:
            return "resolved"
        if asked_by is None:
            return None
        excused = hold.taking.identifies is False and not hold.answers_questions
        early = hold.started_at + self._settings.early_release_after_seconds
        needed = hold.doubt_ends_at if excused else early
        return f"asked for by {asked_by}" if now >= needed else None

    async def _free(self, hold: Hold, why: str, *, early: bool) -> None:
        await _stop(hold)
        line = hold.taking.address
        if hold.claimed is None:
            learned = Learned(identify_first=True if hold.marks else None)
            freed = await outcomes.free_line(self._database, hold.taking, learned)
        else:
            # Ended early, or without an answered enquiry: the terminal may still show this payment's amount.
            learned = Learned(
                identifies=True if hold.answers_questions else None,
                identify_first=early or not hold.answered,
            )
            freed = await outcomes.release(self._database, hold.taking, learned, why=why)
        del self._held[hold.taking.token]
        _log.info("hold ended", line=line, payment_id=hold.taking.payment_id, why=why, freed=freed)
        await self._announcer.publish_next(line)

    async def _resolve(self, hold: Hold, claimed: Claimed) -> None:
        """Listen on, then enquire, until the payment is settled or the hold is ended from outside."""
        with bound(payment_id=claimed.payment.id):
            if hold.open_ear is not None:
                await self._listen(hold, hold.open_ear)
            for at in self._enquiry_times(hold):
                await asyncio.sleep(max(0.0, at - self._clock.boot()))
                if self._clock.boot() > asking.last_time(hold.ends_at, self._settings):
                    return
                if await self._enquire(hold, claimed):
                    return

    async def _listen(self, hold: Hold, ear: OpenEar) -> None:
        """What still comes on the old connection, for the rest of the window, until it proves something."""
        try:
            while (heard := await ear.hear(hold.doubt_ends_at, self._settings)) is not None:
                hold.answered = hold.answered or heard.evidence.proves is not None
                payment = await self._store(hold.taking.payment_id, heard.evidence, heard.result)
                if payment.is_final:
                    return
        finally:
            await ear.connection.close()

    def _enquiry_times(self, hold: Hold) -> Iterator[float]:
        if hold.enquires_soon:
            return asking.after_lost_connection(self._clock.boot())
        if hold.frees_from is not None:
            return asking.after_takeover(hold.started_at, hold.frees_from, hold.doubt_ends_at)
        return asking.after_window(hold.doubt_ends_at)

    async def _enquire(self, hold: Hold, claimed: Claimed) -> bool:
        """Ask once; True: there is nothing left to ask for."""
        asked_at = self._clock.boot()
        try:
            found = await self._enquirer.enquire(claimed)
        except LineLost:
            return True
        except (ConnectFailed, DatabaseAway) as error:
            _log.info("enquiry failed", error=str(error))
            return False
        hold.answers_questions = hold.answers_questions or found.answered
        hold.answered = hold.answered or self._is_past_request(hold, found, asked_at)
        _log.info("enquiry made", answered=found.answered, proves=_proves(found))
        if found.evidence is None:
            return False
        payment = await self._store(claimed.payment.id, found.evidence, found.result)
        return payment.is_final

    def _is_past_request(self, hold: Hold, found: Enquired, asked_at: float) -> bool:
        """Tell whether an answer shows that our request is behind the terminal.

        After a takeover the dead worker's bytes may arrive later than an early answer, unless it proves that
        they were carried out.
        """
        if hold.frees_from is None or _proves(found) is not None:
            return found.answered
        settings = self._settings
        none_arrives_from = settings.write_window_seconds + settings.tcp_user_timeout_seconds
        return found.answered and asked_at >= hold.started_at + none_arrives_from

    async def _store(self, payment_id: str, evidence: Evidence, result: Result) -> Payment:
        """Store evidence in a task of its own: the end of the hold must not lose it."""
        task = asyncio.create_task(self._store_until_stored(payment_id, evidence, result))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        return await asyncio.shield(task)

    async def _store_until_stored(self, payment_id: str, evidence: Evidence, result: Result) -> Payment:
        """Again and again until the database has it: it may be all that there will ever be."""
        while True:
            try:
                return await self._store_once(payment_id, evidence, result)
            except (DatabaseAway, CommitUnknown) as error:
                # After a lost commit it may be stored twice, which says nothing more.
                _log.warning("evidence not stored, trying again", error=str(error))
            await asyncio.sleep(self._settings.heartbeat_seconds)

    async def _store_once(self, payment_id: str, evidence: Evidence, result: Result) -> Payment:
        payment = await outcomes.add_evidence(
            self._database, payment_id, evidence, result, brought_by=self._worker
        )
        if payment.is_final:
            self._metrics.doubt_resolved(payment)
            await self._announcer.reply(payment.id, payment.reply_to)
        return payment


def _proves(found: Enquired) -> str | None:
    return None if found.evidence is None else found.evidence.proves


async def _stop(hold: Hold) -> None:
    """End the task of a hold; when this returns, every connection of its payment is closed."""
    if hold.task is None:
        return
    hold.task.cancel()
    await asyncio.gather(hold.task, return_exceptions=True)
    hold.task = None
