"""The payments in doubt whose line this worker holds: listen on, enquire, and end the hold.

The holder alone ends its hold, by its own boot-time clock: no step of a database's clock may free a line
whose terminal could still be charging a card. It does so at a heartbeat, after whatever runs for the payment
has ended and every connection of it is closed.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from shared.broker.reply_publisher import ReplyPublisher
from shared.payment.evidence import Evidence
from shared.payment.payment import Payment
from shared.payment.settlement import Result
from shared.payment.states import FINAL_STATES, State
from shared.runtime.clock import Clock
from shared.runtime.logging import bound
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import failures_logged, log_failure, one_of_many, until_done
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import settling, snapshots
from shared.storage.payments.claims import Claimed
from shared.storage.terminals import early_release
from shared.storage.terminals.locks import LockGrant, ObservedCapabilities
from terminal_worker.recovery import enquiry_schedule
from terminal_worker.session.connection import ConnectFailed
from terminal_worker.session.enquiry import Enquired, Enquirer, LockLost
from terminal_worker.session.late_answers import Heard, LateAnswerListener

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Lease:
    """One held line. Times are boot-time seconds, counted from before the claim or takeover was sent."""

    grant: LockGrant
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
    listener: LateAnswerListener | None = None
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
        reply_publisher: ReplyPublisher,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        worker: str,
        rng: random.Random,
    ) -> None:
        self._database: Final = database
        self._enquirer: Final = enquirer
        self._reply_publisher: Final = reply_publisher
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._worker: Final = worker
        self._rng: Final = rng
        self._held: Final[dict[str, Lease]] = {}
        self._storing: Final[set[asyncio.Task[Payment]]] = set()

    def keep(self, lease: Lease) -> None:
        """Hold this line on; begin what can be done for its payment."""
        self._held[lease.grant.token] = lease
        if lease.claimed is not None:
            lease.task = asyncio.create_task(
                self._resolve(lease, lease.claimed), name=f"doubt {lease.grant.payment_id}"
            )

    def __len__(self) -> int:
        return len(self._held)

    async def run(self) -> None:
        """End what is due, in the rhythm of the heartbeat, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            with failures_logged("holds not ended", leases=len(self._held)):
                await self.end_due()

    def tokens(self) -> frozenset[str]:
        """Return the tokens of the lines that are held here."""
        return frozenset(self._held)

    async def close(self, storing_seconds: float) -> None:
        """Stop enquiring and listening; the lines stay held for whoever takes them over.

        Evidence that the database does not take is kept, and tried again for so long at the most.
        """
        for lease in list(self._held.values()):
            await self._stop(lease)
        if self._storing:
            await asyncio.wait(self._storing, timeout=storing_seconds)

    async def end_due(self) -> None:
        """At a heartbeat: free every line that need not be held on; what fails is tried at the next one.

        Raises DatabaseUnavailable. A hold whose time is over ends also where the other reasons cannot be
        read.
        """
        if not self._held:
            return
        ids = [lease.grant.payment_id for lease in self._held.values() if lease.claimed is not None]
        states: Mapping[str, State] = {}
        asked: Mapping[tuple[str, int], str] = {}
        with one_of_many("states of payments in doubt not read"):
            states = await snapshots.states(self._database, ids)
        with one_of_many("requests for lines not read"):
            asked = {
                (request.address, request.epoch): request.by
                for request in await early_release.requests(self._database, self._worker)
            }
        for lease in list(self._held.values()):
            lookup_for = asked.get((lease.grant.address, lease.grant.epoch))
            with one_of_many(
                "hold not ended", terminal_address=lease.grant.address, payment_id=lease.grant.payment_id
            ):
                await self._end_one(lease, states.get(lease.grant.payment_id), lookup_for)

    async def _end_one(self, lease: Lease, state: State | None, lookup_for: str | None) -> None:
        why = self._why_free(lease, state, lookup_for)
        if why is not None:
            await self._free(lease, why, early=lookup_for is not None)
        elif lookup_for is not None:
            await early_release.drop(self._database, lease.grant)

    def _why_free(self, lease: Lease, state: State | None, lookup_for: str | None) -> str | None:
        now = self._clock.boot()
        if now >= lease.ends_at:
            return "time is over"
        if lease.claimed is None or (lease.frees_from is not None and now < lease.frees_from):
            return None
        if state in FINAL_STATES:
            return "resolved"
        if lookup_for is None:
            return None
        excused = lease.grant.identifies is False and not lease.answers_questions
        early = lease.started_at + self._settings.early_release_after_seconds
        needed = lease.doubt_ends_at if excused else early
        return f"asked for by {lookup_for}" if now >= needed else None

    async def _free(self, lease: Lease, why: str, *, early: bool) -> None:
        await self._stop(lease)
        terminal_address = lease.grant.address
        if lease.claimed is None:
            observed = ObservedCapabilities(identify_first=True if lease.marks else None)
            freed = await settling.free_line(self._database, lease.grant, observed)
        else:
            # Ended early, or without an answered enquiry: the terminal may still show this payment's amount.
            observed = ObservedCapabilities(
                identifies=True if lease.answers_questions else None,
                identify_first=early or not lease.answered,
            )
            freed = await settling.release(self._database, lease.grant, observed, why=why)
        del self._held[lease.grant.token]
        _log.info(
            "hold ended",
            terminal_address=terminal_address,
            payment_id=lease.grant.payment_id,
            why=why,
            freed=freed,
        )
        await self._reply_publisher.publish_next(terminal_address)

    async def _stop(self, lease: Lease) -> None:
        """End the task of a hold; when this returns, every connection of its payment is closed."""
        if lease.task is None:
            return
        if lease.listener is not None and lease.listener.reader.is_hearing:
            # An answer is coming, or is there but for the silence that ends it: nobody hears it later.
            await asyncio.wait((lease.task,), timeout=self._settings.idle_end_seconds)
        lease.task.cancel()
        await asyncio.gather(lease.task, return_exceptions=True)
        lease.task = None

    async def _resolve(self, lease: Lease, claimed: Claimed) -> None:
        """Listen on, then enquire, until the payment is settled or the hold is ended from outside."""
        with bound(payment_id=claimed.payment.id):
            if lease.listener is not None:
                with failures_logged("late answer not judged"):
                    await self._listen(lease, lease.listener)
            for at in self._enquiry_times(lease):
                await asyncio.sleep(max(0.0, at - self._clock.boot()))
                if self._clock.boot() > enquiry_schedule.last_time(lease.ends_at, self._settings):
                    return
                if await self._enquire(lease, claimed):
                    return

    async def _listen(self, lease: Lease, ear: LateAnswerListener) -> None:
        """Read on from the old connection, for the rest of the window, until something is proved."""

        async def hear() -> Heard | None:
            if self._clock.boot() >= lease.doubt_ends_at:
                return None
            return await ear.hear(lease.doubt_ends_at, self._settings)

        try:
            while (heard := await until_done(hear, "late answer not read", rng=self._rng)) is not None:
                lease.answered = lease.answered or heard.evidence.proves is not None
                payment = await self._store(lease.grant.payment_id, heard.evidence, heard.result)
                if payment.is_final:
                    return
        finally:
            await ear.connection.close()

    def _enquiry_times(self, lease: Lease) -> Iterator[float]:
        if lease.enquires_soon:
            return enquiry_schedule.after_lost_connection(self._clock.boot())
        if lease.frees_from is not None:
            return enquiry_schedule.after_takeover(lease.started_at, lease.frees_from, lease.doubt_ends_at)
        return enquiry_schedule.after_window(lease.doubt_ends_at)

    async def _enquire(self, lease: Lease, claimed: Claimed) -> bool:
        """Ask once; True: there is nothing left to ask for."""
        asked_at = self._clock.boot()
        try:
            found = await self._enquirer.enquire(claimed)
        except LockLost:
            return True
        except ConnectFailed as error:
            _log.info("enquiry failed", error=str(error))
            return False
        except Exception as error:
            log_failure("enquiry failed", error)
            return False
        lease.answers_questions = lease.answers_questions or found.answered
        lease.answered = lease.answered or self._is_past_request(lease, found, asked_at)
        _log.info("enquiry made", answered=found.answered, proves=_proves(found))
        if found.evidence is None:
            return False
        payment = await self._store(claimed.payment.id, found.evidence, found.result)
        return payment.is_final

    def _is_past_request(self, lease: Lease, found: Enquired, asked_at: float) -> bool:
        """Tell whether an answer shows that our request is behind the terminal.

        After a takeover the dead worker's bytes may arrive later than an early answer, unless it proves that
        they were carried out.
        """
        if lease.frees_from is None or _proves(found) is not None:
            return found.answered
        settings = self._settings
        none_arrives_from = settings.write_window_seconds + settings.tcp_user_timeout_seconds
        return found.answered and asked_at >= lease.started_at + none_arrives_from

    async def _store(self, payment_id: str, evidence: Evidence, result: Result) -> Payment:
        """Store evidence in a task of its own: the end of the hold must not lose it."""
        task = asyncio.create_task(self._store_until_stored(payment_id, evidence, result))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        return await asyncio.shield(task)

    async def _store_until_stored(self, payment_id: str, evidence: Evidence, result: Result) -> Payment:
        """Again and again until the database has it: it may be all that there will ever be.

        After a lost commit it may be stored twice, which says nothing more.
        """
        payment = await until_done(
            lambda: settling.add_evidence(
                self._database, payment_id, evidence, result, brought_by=self._worker
            ),
            "evidence not stored",
            rng=self._rng,
        )
        if payment.is_final:
            with failures_logged("doubt not measured"):
                self._metrics.doubt_resolved(payment)
            await self._reply_publisher.reply(payment.id, payment.reply_to)
        return payment


def _proves(found: Enquired) -> str | None:
    return None if found.evidence is None else found.evidence.proves
