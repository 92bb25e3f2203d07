"""One worker's go at one payment: claim, session, store, reply, the line's next."""

import asyncio
import json
import random
from functools import partial
from typing import Final

import structlog

from shared.broker.messages import PaymentMessage
from shared.broker.reply_publisher import ReplyPublisher
from shared.concert.profile import Profile
from shared.payment.payment import Payment, Reason
from shared.payment.settlement import Settlement
from shared.payment.states import Event
from shared.runtime.clock import Clock
from shared.runtime.failpoints import Failpoint, no_failpoint
from shared.runtime.ids import RandomBytes, new_token
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import failures_logged, log_failure, until_done
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable
from shared.storage.payments import claims, settling
from shared.storage.payments.claims import Claim, Claimed, DeadlinePassed, LockHeld, NotQueued
from shared.storage.terminals.locks import ObservedCapabilities
from terminal_worker.recovery.doubt_leases import Doubts, Lease
from terminal_worker.recovery.lock_tokens import LockTokens
from terminal_worker.session.connection import ConnectFailed
from terminal_worker.session.enquiry import LOOK_TO_WRITE_SECONDS
from terminal_worker.session.identification import Identified, Identifier
from terminal_worker.session.late_answers import LateAnswerListener
from terminal_worker.session.request_builder import doubt_window_of
from terminal_worker.session.session import Ended, TerminalSessions

_log = structlog.get_logger()


class Runs:
    """Takes payments one by one; any number of its runs go on at once on the event loop."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: TerminalSessions,
        identifier: Identifier,
        doubts: Doubts,
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
        self._identifier: Final = identifier
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
        """Do all that this message asks for; when it returns, the message has no further use.

        A second delivery of a message is harmless: the claim finds the payment no longer queued.
        """
        token = new_token(self._random_bytes)
        with self._tokens.in_use(token):
            await self._run(message, token)

    async def _run(self, message: PaymentMessage, token: str) -> None:
        await self._failpoint("before_claim")
        match await self._claim(message.payment_id, token):
            case (Claimed() as claimed, started_at):
                await self._hold_session(claimed, started_at)
            case (LockHeld(), _):
                # Whoever releases the line looks for its next payment and publishes it.
                _log.info("line is held, the payment waits")
            case (DeadlinePassed(), _):
                with failures_logged("payment left to the sweep"):
                    await self._reply_publisher.expire(message.payment_id)
            case (NotQueued(state, reply_to), _):
                _log.info("payment is not queued", state=state)
                await self._reply_publisher.reply(message.payment_id, reply_to)

    async def _claim(self, payment_id: str, token: str) -> tuple[Claim, float]:
        """Return what came of the claim, and when its write window opened (boot-time seconds): before the
        claim was sent, since a taker counts from its commit, later.

        An error of the code ends the run: the line, where it was taken after all, is found at the heartbeat.
        """
        opened_at = self._clock.boot()
        commit_lost = False

        async def once() -> Claim:
            nonlocal commit_lost, opened_at
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
            except DatabaseUnavailable:
                if not commit_lost:
                    # For certain nothing was stored: the window opens with the next try.
                    opened_at = self._clock.boot()
                raise
            if isinstance(found, Claimed) or not commit_lost:
                return found
            # An earlier try may have been carried out: it is mine only if the line carries this run's token.
            return await claims.read_back(self._database, payment_id, token) or found

        failures = (DatabaseUnavailable, CommitUnknown)
        return await until_done(once, "payment not claimed", rng=self._rng, failures=failures), opened_at

    async def _hold_session(self, claimed: Claimed, started_at: float) -> None:
        self._measure_wait(claimed.payment)
        is_drained = False
        try:
            ended = await self._session(claimed, started_at)
        except asyncio.CancelledError:
            # The drain time is over. The request may be on its way: this is doubt, and the line stays held.
            is_drained = True
            ended = Ended(Settlement(event=Event.OUTCOME_LOST, reason=Reason.WORKER_LOST))
        ending = asyncio.create_task(self._end(claimed, ended, started_at), name=f"end {claimed.payment.id}")
        await _finished(ending, is_drained=is_drained)

    async def _session(self, claimed: Claimed, started_at: float) -> Ended:
        try:
            return await self._sessions.hold(claimed, started_at)
        except Exception as error:
            log_failure("session failed", error)
            lost = Settlement(
                event=Event.OUTCOME_LOST, reason=Reason.UNREADABLE, detail={"error": repr(error)}
            )
            return Ended(lost)

    async def _end(self, claimed: Claimed, ended: Ended, started_at: float) -> None:
        """Store how the session ended, then tell whoever waits for it or for its line.

        Nothing but the end of the process keeps this from storing it; what comes after it is not waited for.
        """
        stored = await self._store(claimed, ended, started_at)
        self._measure_session(stored, started_at)
        with failures_logged("step after the commit failed"):
            await self._failpoint("after_commit")
        await self._reply_publisher.reply(stored.id, stored.reply_to)
        if ended.settlement.event is Event.OUTCOME_LOST:
            return
        if ended.listener is not None:
            await self._listen_on(claimed, ended.listener)
        if self._asks_identification(claimed, ended):
            await self._identify_once(claimed)
        elif ended.listener is not None:
            await until_done(
                lambda: settling.free_line(self._database, claimed.grant, ObservedCapabilities()),
                "line not freed",
                rng=self._rng,
            )
        await self._reply_publisher.publish_next(claimed.grant.address)

    async def _store(self, claimed: Claimed, ended: Ended, started_at: float) -> Payment:
        """Store it again and again until the database has it: nobody else knows it."""
        settlement = ended.settlement
        try:
            if settlement.event is Event.OUTCOME_LOST:
                return await self._doubt(claimed, ended, started_at)
            return await self._settle(claimed, ended, started_at)
        except asyncio.CancelledError:
            _log.error(
                "outcome not stored before the worker's end",
                settlement=settlement.event,
                reason=settlement.reason,
                paid_cents=settlement.result.paid_cents,
                authorisation_number=settlement.result.authorisation_number,
            )
            raise

    async def _doubt(self, claimed: Claimed, ended: Ended, started_at: float) -> Payment:
        """Store the doubt and hold the line on; a proof that came before may have settled it already."""
        window = doubt_window_of(claimed, self._settings)
        self._doubts.keep(
            Lease(
                grant=claimed.grant,
                started_at=started_at,
                doubt_ends_at=started_at + window,
                ends_at=started_at + window + self._settings.lease_after_doubt_seconds,
                claimed=claimed,
                enquires_soon=ended.settlement.reason == Reason.CONNECTION_LOST,
                listener=ended.listener,
                answers_questions=ended.observed.identifies is True,
            )
        )
        return await until_done(
            lambda: settling.doubt(self._database, claimed.grant, claimed.payment.id, ended.settlement),
            "doubt not stored",
            rng=self._rng,
        )

    async def _settle(self, claimed: Claimed, ended: Ended, started_at: float) -> Payment:
        """Store the outcome; where that takes longer than a hold in doubt, the line is not kept for it."""
        window = doubt_window_of(claimed, self._settings)
        ends_at = started_at + window + self._settings.lease_after_doubt_seconds

        async def once() -> Payment:
            try:
                return await settling.settle(
                    self._database,
                    claimed.grant,
                    claimed.payment,
                    ended.settlement,
                    ended.observed,
                    keep_line=self._asks_identification(claimed, ended) or ended.listener is not None,
                )
            except Exception:
                if self._clock.boot() >= ends_at:
                    await self._let_go(claimed)
                raise

        return await until_done(once, "outcome not stored", rng=self._rng)

    async def _let_go(self, claimed: Claimed) -> None:
        """Free the line of an outcome that cannot be stored, with a doubt; stored later it settles that."""
        grant, payment = claimed.grant, claimed.payment
        with failures_logged("line not freed", terminal_address=grant.address):
            observed = ObservedCapabilities(identify_first=True)
            if await settling.release(self._database, grant, observed, why="outcome not stored"):
                await self._reply_publisher.reply(payment.id, payment.reply_to)
                await self._reply_publisher.publish_next(grant.address)

    async def _listen_on(self, claimed: Claimed, ear: LateAnswerListener) -> None:
        """Listen for one long idle after a 'done' without an amount: it may come late, and be another one.

        The payment has its outcome and its caller the answer; the line is still held for this.
        """
        ends_at = self._clock.boot() + self._settings.idle_end_seconds
        with failures_logged("late amount not read"):
            while (heard := await ear.hear(ends_at, self._settings)) is not None:
                store = partial(
                    settling.add_evidence,
                    self._database,
                    claimed.payment.id,
                    heard.evidence,
                    heard.result,
                    brought_by=self._worker,
                )
                await until_done(store, "evidence not stored", rng=self._rng)
        with failures_logged("connection not closed"):
            await ear.connection.close()

    def _asks_identification(self, claimed: Claimed, ended: Ended) -> bool:
        """Each line is asked once, right after a success (AE 10): a silence then excuses it for good.

        After any other answer it may be silent for a reason of that moment.
        """
        known = claimed.grant.identifies is not None or ended.observed.identifies is not None
        return not known and ended.settlement.event is Event.ANSWERED_DONE

    async def _identify_once(self, claimed: Claimed) -> None:
        """The payment has its outcome and its caller the answer; the line is still held for this."""
        payment, terminal_address = claimed.payment, claimed.grant.address

        async def write_until() -> float:
            # This run may have slept since, and a taker frees the line of a finished payment soon.
            looked_at = self._clock.boot()
            still_mine = await settling.still_mine(self._database, claimed.grant)
            return looked_at + LOOK_TO_WRITE_SECONDS if still_mine else looked_at

        found = Identified.NOT_ASKED
        with failures_logged("identification after the payment failed", terminal_address=terminal_address):
            profile = Profile.from_dict(json.loads(claimed.profile))
            try:
                # Before connecting, too: a terminal may take one connection at a time, the next holder's.
                if await settling.still_mine(self._database, claimed.grant):
                    found = await self._identifier.ask(
                        terminal_address, payment.protocol, claimed.pos_number, profile, write_until
                    )
            except ConnectFailed:
                found = Identified.BUSY  # one that takes one connection at a time may still close ours
        teaches = found in (Identified.YES, Identified.SILENT)
        observed = ObservedCapabilities(identifies=found is Identified.YES if teaches else None)
        await until_done(
            lambda: settling.release_identified(self._database, claimed.grant, observed, found=found),
            "line not freed",
            rng=self._rng,
        )

    def _measure_wait(self, payment: Payment) -> None:
        with failures_logged("time in the queue not measured"):
            assert payment.claimed_at is not None
            self._metrics.waited_in_queue((payment.claimed_at - payment.created_at) / 1000)

    def _measure_session(self, stored: Payment, started_at: float) -> None:
        with failures_logged("session not measured"):
            seconds = self._clock.boot() - started_at
            self._metrics.session_took(stored.operation, seconds)
            self._metrics.payment_ended(stored.operation, stored.state, stored.reason)
            _log.info(
                "session ended",
                state=stored.state,
                reason=stored.reason,
                seconds=round(seconds, 3),
                terminal_address=stored.terminal_address,
            )


async def _finished(ending: "asyncio.Task[None]", *, is_drained: bool) -> None:
    """Wait for the end of a run. The drain's first cancellation ends its session, and what is known is stored
    all the same; the second one says that the process ends now. Raises CancelledError after either."""
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
