"""The resolution of one payment in doubt: listen for a late answer, then enquire, and store the evidence."""

import asyncio
import random
from collections.abc import Iterator
from typing import Final

import structlog

from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.contradictions import note_contradiction
from shared.metrics.metrics import Metrics
from shared.payment.evidence import Evidence
from shared.payment.payment import Payment, Result
from shared.runtime.clock import Clock
from shared.runtime.logging import bound
from shared.runtime.resilience import failures_logged, log_failure, until_done
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import settling
from shared.storage.payments.claims import Claimed
from shared.tracing.context import trace_context
from shared.tracing.spans import continued
from terminal_worker.recovery import enquiry_schedule
from terminal_worker.recovery.lease import Lease
from terminal_worker.session.connection import ConnectFailed
from terminal_worker.session.enquiry import Enquirer, EnquiryResult, LockLost
from terminal_worker.session.late_answers import LateAnswerListener, LateEvidence
from terminal_worker.session.spans import terminal_enquiry

_log = structlog.get_logger()


class DoubtResolver:
    """Gathers evidence about payments in doubt while this worker has their leases."""

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
        self._storing: Final[set[asyncio.Task[Payment]]] = set()

    async def resolve(self, lease: Lease, claimed: Claimed) -> None:
        """Listen, then enquire, until the payment is settled or the lease ends (this task is cancelled)."""
        with bound(payment_id=claimed.payment.id):
            if lease.listener is not None:
                with failures_logged("late answer not interpreted"):
                    await self._listen(lease, lease.listener)
            for at in self._enquiry_times(lease):
                await asyncio.sleep(max(0.0, at - self._clock.boot()))
                if self._clock.boot() > enquiry_schedule.last_time(lease.ends_at, self._settings):
                    return
                if await self._enquire(lease, claimed):
                    return

    async def close(self, storing_seconds: float) -> None:
        """Wait at most so long for evidence that the database has not accepted yet."""
        if self._storing:
            await asyncio.wait(self._storing, timeout=storing_seconds)

    async def _listen(self, lease: Lease, listener: LateAnswerListener) -> None:
        """Read on from the old connection until the doubt window ends or the payment is settled."""

        async def next_evidence() -> LateEvidence | None:
            if self._clock.boot() >= lease.doubt_ends_at:
                return None
            return await listener.next_evidence(lease.doubt_ends_at, self._settings)

        try:
            while late := await until_done(next_evidence, "late answer not read", rng=self._rng):
                lease.answered = lease.answered or late.evidence.proves is not None
                payment = await self._store(lease.grant.payment_id, late.evidence, late.result)
                if payment.is_final:
                    return
        finally:
            await listener.connection.close()

    def _enquiry_times(self, lease: Lease) -> Iterator[float]:
        if lease.enquires_soon:
            return enquiry_schedule.after_lost_connection(self._clock.boot())
        if lease.frees_from is not None:
            return enquiry_schedule.after_takeover(lease.started_at, lease.frees_from, lease.doubt_ends_at)
        return enquiry_schedule.after_window(lease.doubt_ends_at)

    async def _enquire(self, lease: Lease, claimed: Claimed) -> bool:
        """Enquire once; return whether there is nothing left to enquire about."""
        asked_at = self._clock.boot()
        try:
            # Its doubt may have begun in another process, or in an earlier hour: the payment knows its trace.
            with continued(trace_context(claimed.traceparent)), terminal_enquiry(claimed):
                enquiry = await self._enquirer.enquire(claimed)
        except LockLost:
            return True
        except ConnectFailed as error:
            _log.info("enquiry failed", error=str(error))
            return False
        except Exception as error:
            log_failure("enquiry failed", error)
            return False
        lease.answers_questions = lease.answers_questions or enquiry.answered
        lease.answered = lease.answered or self._is_past_request(lease, enquiry, asked_at)
        _log.info("enquiry made", answered=enquiry.answered, proves=_proves(enquiry))
        if enquiry.evidence is None:
            return False
        payment = await self._store(claimed.payment.id, enquiry.evidence, enquiry.result)
        return payment.is_final

    def _is_past_request(self, lease: Lease, enquiry: EnquiryResult, asked_at: float) -> bool:
        """Return whether the answer shows that the terminal is past our request.

        After a takeover the earlier owner's bytes may arrive later than an early answer, unless that proves
        that they were carried out.
        """
        if lease.frees_from is None or _proves(enquiry) is not None:
            return enquiry.answered
        settings = self._settings
        none_arrives_from = settings.write_window_seconds + settings.tcp_user_timeout_seconds
        return enquiry.answered and asked_at >= lease.started_at + none_arrives_from

    async def _store(self, payment_id: str, evidence: Evidence, result: Result) -> Payment:
        """Store evidence in a task of its own, so that the lease's end cannot lose it."""
        task = asyncio.create_task(self._store_until_stored(payment_id, evidence, result))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        return await asyncio.shield(task)

    async def _store_until_stored(self, payment_id: str, evidence: Evidence, result: Result) -> Payment:
        """Retry until the database has the evidence: there may never be any other.

        After a lost commit it may be stored twice, which changes nothing.
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
                self._measure(payment, evidence)
            await self._reply_publisher.reply(payment.id, payment.reply_to)
        return payment

    def _measure(self, payment: Payment, evidence: Evidence) -> None:
        """Note a doubt that this evidence settled, or an outcome of somebody else's that it contradicts."""
        if payment.resolved_by == evidence.source:
            self._metrics.doubt_resolved(payment)
        if payment.contradicted:
            note_contradiction(self._metrics, payment)


def _proves(enquiry: EnquiryResult) -> str | None:
    return None if enquiry.evidence is None else enquiry.evidence.proves
