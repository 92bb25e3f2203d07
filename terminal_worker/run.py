"""The run of one payment: claim, session, result, reply, then the terminal's next payment."""

import asyncio
import math
import random
from typing import Final

import structlog

from shared.broker.messages import PaymentMessage
from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.contradictions import note_contradiction
from shared.metrics.metrics import Metrics
from shared.payment.evidence import Source
from shared.payment.payment import Payment, Reason, Settlement
from shared.payment.states import Event, State
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_token
from shared.runtime.resilience import Failpoint, failures_logged, log_failure, no_failpoint, until_done
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable
from shared.storage.payments import claims, settling
from shared.storage.payments.claims import Claim, Claimed, DeadlinePassed, LockHeld, NotQueued
from shared.storage.terminals.locks import LockTokens, ObservedCapabilities
from terminal_worker.after_settlement import AfterSettlement
from terminal_worker.recovery.doubt_leases import DoubtLeases
from terminal_worker.recovery.lease import Lease
from terminal_worker.session.enquiry import Identifier
from terminal_worker.session.request_builder import doubt_window_of
from terminal_worker.session.session import SessionResult, TerminalSessions
from terminal_worker.session.spans import note_settlement, terminal_session

_log = structlog.get_logger()


class Runs:
    """Runs payments, any number of them at once on the event loop."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: TerminalSessions,
        identifier: Identifier,
        doubts: DoubtLeases,
        tokens: LockTokens,
        reply_publisher: ReplyPublisher,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        worker: str,
        random_bytes: RandomBytes,
        rng: random.Random,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        self._database: Final = database
        self._sessions: Final = sessions
        self._after_settlement: Final = AfterSettlement(
            database, identifier, clock, metrics, settings, worker, rng
        )
        self._doubts: Final = doubts
        self._tokens: Final = tokens
        self._reply_publisher: Final = reply_publisher
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._worker: Final = worker
        self._random_bytes: Final = random_bytes
        self._rng: Final = rng
        self._failpoint: Final = failpoint

    async def run(self, message: PaymentMessage) -> None:
        """Run the payment of a message; afterwards the message can be acknowledged.

        A second delivery changes nothing: the claim finds the payment no longer queued.
        """
        token = new_token(self._random_bytes)
        with self._tokens.in_use(token):
            await self._run(message, token)

    async def _run(self, message: PaymentMessage, token: str) -> None:
        await self._failpoint("before_claim")
        match await self._claim(message.payment_id, token):
            case (Claimed() as claimed, started_at):
                await self._run_session(claimed, started_at)
            case (LockHeld(), _):
                # The owner that releases the lock publishes the terminal's next payment.
                _log.info("payment waits for the terminal")
            case (DeadlinePassed(), _):
                with failures_logged("payment not expired, left to the sweep"):
                    await self._reply_publisher.expire(message.payment_id)
            case (NotQueued(state, reply_to), _):
                _log.info("payment is not queued", state=state)
                self._reply_publisher.reply_soon(message.payment_id, reply_to)

    async def _claim(self, payment_id: str, token: str) -> tuple[Claim, float]:
        """Return the claim's result and the start of its write window (boot-time seconds).

        The window starts before the claim is sent: a takeover counts from the claim's commit, which is later.
        An error of the code ends the run; a lock that was acquired all the same is found at the heartbeat.
        """
        opened_at = -math.inf  # in the past, where nothing may be written, until a try begins
        commit_lost = False

        async def once() -> Claim:
            nonlocal commit_lost, opened_at
            if not commit_lost:
                # Certainly nothing is stored so far: the window starts with this try.
                opened_at = self._clock.boot()
            try:
                found = await claims.claim(
                    self._database,
                    payment_id,
                    worker=self._worker,
                    token=token,
                    lease_seconds=self._settings.lease_seconds,
                )
            except CommitUnknown:
                commit_lost = True
                raise
            if isinstance(found, Claimed) or not commit_lost:
                return found
            # An earlier try may have been committed: it is mine only if the lock carries this run's token.
            return await claims.read_back(self._database, payment_id, token) or found

        failures = (DatabaseUnavailable, CommitUnknown)
        return await until_done(once, "payment not claimed", rng=self._rng, failures=failures), opened_at

    async def _run_session(self, claimed: Claimed, started_at: float) -> None:
        self._measure_wait(claimed.payment)
        is_drained = False
        try:
            session_result = await self._session(claimed, started_at)
        except asyncio.CancelledError:
            # The drain time is over. The request may be on its way: this is doubt, the lock stays held.
            is_drained = True
            session_result = SessionResult(Settlement(event=Event.OUTCOME_LOST, reason=Reason.WORKER_LOST))
        ending = asyncio.create_task(
            self._end(claimed, session_result, started_at), name=f"end {claimed.payment.id}"
        )
        await _wait_for_end(ending, is_drained=is_drained)

    async def _session(self, claimed: Claimed, started_at: float) -> SessionResult:
        try:
            with terminal_session(claimed) as traced:
                session_result = await self._sessions.hold(claimed, started_at)
                with failures_logged("session's trace has no outcome"):
                    note_settlement(traced, session_result.settlement)
            return session_result
        except Exception as error:
            log_failure("session failed", error)
            lost = Settlement(
                event=Event.OUTCOME_LOST, reason=Reason.UNREADABLE, detail={"error": repr(error)}
            )
            return SessionResult(lost)

    async def _end(self, claimed: Claimed, session_result: SessionResult, started_at: float) -> None:
        """Store the session's result, reply to the client and publish the terminal's next payment.

        Only the end of the process keeps the result from being stored; later steps cannot undo it.
        """
        stored = await self._store(claimed, session_result, started_at)
        self._measure_session(stored, session_result.settlement, started_at)
        with failures_logged("step after the commit failed"):
            await self._failpoint("after_commit")
        # Neither the next payment nor the acknowledgement waits for its confirmation: it is a wake-up.
        self._reply_publisher.reply_soon(stored.id, stored.reply_to)
        if session_result.settlement.event is Event.OUTCOME_LOST:
            return
        await self._after_settlement.run(claimed, session_result)
        await self._reply_publisher.publish_next(claimed.grant.address)

    async def _store(self, claimed: Claimed, session_result: SessionResult, started_at: float) -> Payment:
        """Store the result, retrying until the database has it: this run has the only copy."""
        settlement = session_result.settlement
        try:
            if settlement.event is Event.OUTCOME_LOST:
                return await self._doubt(claimed, session_result, started_at)
            return await self._settle(claimed, session_result, started_at)
        except asyncio.CancelledError:
            _log.error(
                "result not stored before the worker's end",
                settlement=settlement.event,
                reason=settlement.reason,
                paid_cents=settlement.result.paid_cents,
                authorisation_number=settlement.result.authorisation_number,
            )
            raise

    async def _doubt(self, claimed: Claimed, session_result: SessionResult, started_at: float) -> Payment:
        """Lease the lock and store the doubt; an earlier proof may settle it at once."""
        window = doubt_window_of(claimed, self._settings)
        self._doubts.add(
            Lease(
                grant=claimed.grant,
                started_at=started_at,
                doubt_ends_at=started_at + window,
                ends_at=started_at + window + self._settings.lease_after_doubt_seconds,
                claimed=claimed,
                enquires_soon=session_result.settlement.reason == Reason.CONNECTION_LOST,
                listener=session_result.listener,
                answers_questions=session_result.observed.identifies is True,
            )
        )
        return await until_done(
            lambda: settling.doubt(
                self._database, claimed.grant, claimed.payment.id, session_result.settlement
            ),
            "doubt not stored",
            rng=self._rng,
        )

    async def _settle(self, claimed: Claimed, session_result: SessionResult, started_at: float) -> Payment:
        """Store the result; the lock is held for it as long as a lease in doubt lasts, no longer."""
        window = doubt_window_of(claimed, self._settings)
        ends_at = started_at + window + self._settings.lease_after_doubt_seconds

        async def once() -> Payment:
            try:
                return await settling.settle(
                    self._database,
                    claimed.grant,
                    claimed.payment,
                    session_result.settlement,
                    session_result.observed,
                    keep_lock=self._after_settlement.needs_lock(claimed, session_result),
                )
            except Exception:
                if self._clock.boot() >= ends_at:
                    await self._release_unstored(claimed)
                raise

        return await until_done(once, "result not stored", rng=self._rng)

    async def _release_unstored(self, claimed: Claimed) -> None:
        """Release the lock with a doubt; the result settles it once it can be stored."""
        grant, payment = claimed.grant, claimed.payment
        with failures_logged("terminal lock not released", terminal_address=grant.address):
            observed = ObservedCapabilities(identify_first=True)
            if await settling.release(self._database, grant, observed, why="result not stored"):
                self._count_doubt(payment)
                await self._reply_publisher.reply(payment.id, payment.reply_to)
                await self._reply_publisher.publish_next(grant.address)

    def _measure_wait(self, payment: Payment) -> None:
        with failures_logged("time in the queue not measured"):
            assert payment.claimed_at is not None
            self._metrics.waited_in_queue((payment.claimed_at - payment.created_at) / 1000)

    def _count_doubt(self, payment: Payment) -> None:
        with failures_logged("payment not counted", payment_id=payment.id):
            self._metrics.payment_ended(payment.operation, State.IN_DOUBT, Reason.WORKER_LOST)

    def _measure_session(self, stored: Payment, settlement: Settlement, started_at: float) -> None:
        with failures_logged("session not measured"):
            seconds = self._clock.boot() - started_at
            self._metrics.session_took(stored.operation, seconds)
            if not _was_doubted_before(stored, settlement):
                self._metrics.payment_ended(stored.operation, stored.state, stored.reason)
            elif stored.resolved_by == Source.LATE_ANSWER:
                self._metrics.doubt_resolved(stored)
            if stored.contradicted:
                note_contradiction(self._metrics, stored)
            _log.info(
                "session ended",
                state=stored.state,
                reason=stored.reason,
                seconds=round(seconds, 3),
                terminal_address=stored.terminal_address,
            )


def _was_doubted_before(stored: Payment, settlement: Settlement) -> bool:
    """Return whether the doubt began elsewhere, at a takeover of the lock or its release, and was counted."""
    if stored.doubted_at is None:
        return False
    return settlement.event is not Event.OUTCOME_LOST or stored.reason not in (settlement.reason, None)


async def _wait_for_end(ending: "asyncio.Task[None]", *, is_drained: bool) -> None:
    """Wait for the end of a run.

    The drain's first cancellation ends its session and the result is still stored; the second one means that
    the process ends now. Raises CancelledError after either.
    """
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            if is_drained:
                ending.cancel()
                await asyncio.gather(ending, return_exceptions=True)
                raise
            is_drained = True
    if is_drained:
        raise asyncio.CancelledError
    ending.result()
