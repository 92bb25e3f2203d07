"""One worker's go at one payment: claim, session, store, reply, the line's next."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import structlog

from shared.announcing import Announcer
from shared.broker.messages import PaymentMessage
from shared.checkpoints import Checkpoint, no_checkpoint
from shared.clock import Clock
from shared.concert.profile import Profile
from shared.ids import RandomBytes, new_token
from shared.metrics import Metrics
from shared.payment.outcome import Outcome
from shared.payment.payment import Payment, Reason
from shared.payment.states import Event
from shared.settings.settings import Settings
from shared.storage import claims, outcomes
from shared.storage.claims import Claim, Claimed, DeadlinePassed, Held, NotQueued
from shared.storage.engine import CommitUnknown, Database, DatabaseAway
from shared.storage.lines import Learned
from terminal_worker.connection import ConnectFailed
from terminal_worker.doubts import Doubts, Hold
from terminal_worker.enquiry import LOOK_TO_WRITE_SECONDS
from terminal_worker.identification import Identified, Identifier
from terminal_worker.open_ear import Heard, OpenEar
from terminal_worker.session import Ended, TerminalSessions
from terminal_worker.speaking import doubt_window_of

_log = structlog.get_logger()
_Stored = TypeVar("_Stored")

#: How long to wait before the database is asked again; doubled each time up to the second figure.
_RETRY_SECONDS: Final = (0.1, 2.0)


class Runs:
    """Takes payments one by one; any number of its runs go on at once on the event loop."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: TerminalSessions,
        identifier: Identifier,
        doubts: Doubts,
        announcer: Announcer,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        worker: str,
        random_bytes: RandomBytes,
        rng: random.Random,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._database: Final = database
        self._sessions: Final = sessions
        self._identifier: Final = identifier
        self._doubts: Final = doubts
        self._announcer: Final = announcer
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._worker: Final = worker
        self._random_bytes: Final = random_bytes
        self._rng: Final = rng
        self._checkpoint: Final = checkpoint

    async def run(self, message: PaymentMessage) -> None:
        """Do all that this message asks for; when it returns, the message has no further use.

        A second delivery of a message is harmless: the claim finds the payment no longer queued.
        """
        await self._checkpoint("before_claim")
        match await self._claim(message.payment_id):
            case (Claimed() as claimed, started_at):
                await self._checkpoint("after_claim")
                await self._hold_session(claimed, started_at)
            case (Held(), _):
                # Whoever releases the line looks for its next payment and publishes it.
                _log.info("line is held, the payment waits")
            case (DeadlinePassed(), _):
                await self._until_stored(lambda: self._announcer.expire(message.payment_id))
            case (NotQueued(state, reply_to), _):
                _log.info("payment is not queued", state=state)
                await self._announcer.reply(message.payment_id, reply_to)

    async def _claim(self, payment_id: str) -> tuple[Claim, float]:
        """Return what came of the claim, and when its write window opened (boot-time seconds): before the
        claim was sent, since a taker counts from its commit, later."""
        token = new_token(self._random_bytes)
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
                    hold_seconds=self._settings.hold_seconds,
                )
            except CommitUnknown:
                commit_lost = True
                raise
            except DatabaseAway:
                if not commit_lost:
                    # For certain nothing was stored: the window opens with the next try.
                    opened_at = self._clock.boot()
                raise
            if isinstance(found, Claimed) or not commit_lost:
                return found
            # An earlier try may have been carried out: it is mine only if the line carries this run's token.
            return await claims.read_back(self._database, payment_id, token) or found

        return await self._until_stored(once), opened_at

    async def _hold_session(self, claimed: Claimed, started_at: float) -> None:
        payment = claimed.payment
        assert payment.claimed_at is not None
        self._metrics.waited_in_queue((payment.claimed_at - payment.created_at) / 1000)
        try:
            ended = await self._sessions.hold(claimed, started_at)
        except asyncio.CancelledError:
            # The drain time is over. The request may be on its way: this is doubt, and the line stays held.
            lost = Outcome(event=Event.OUTCOME_LOST, reason=Reason.WORKER_LOST)
            await asyncio.shield(self._end(claimed, Ended(lost), started_at))
            raise
        await self._end(claimed, ended, started_at)

    async def _end(self, claimed: Claimed, ended: Ended, started_at: float) -> None:
        """Store how the session ended, then tell whoever waits for it or for its line."""
        if ended.outcome.event is Event.OUTCOME_LOST:
            stored = await self._doubt(claimed, ended, started_at)
        else:
            stored = await self._settle(claimed, ended)
        seconds = self._clock.boot() - started_at
        self._metrics.session_took(stored.operation, seconds)
        self._metrics.payment_ended(stored.operation, stored.state, stored.reason)
        _log.info(
            "session ended",
            state=stored.state,
            reason=stored.reason,
            seconds=round(seconds, 3),
            line=stored.line,
        )
        await self._checkpoint("after_commit")
        await self._announcer.reply(stored.id, stored.reply_to)
        if ended.outcome.event is Event.OUTCOME_LOST:
            return
        if ended.open_ear is not None:
            await self._listen_on(claimed, ended.open_ear)
        if self._asks_identification(claimed, ended):
            await self._identify_once(claimed)
        elif ended.open_ear is not None:
            await self._until_stored(lambda: outcomes.free_line(self._database, claimed.taking, Learned()))
        await self._announcer.publish_next(claimed.taking.address)

    async def _doubt(self, claimed: Claimed, ended: Ended, started_at: float) -> Payment:
        """Store the doubt and hold the line on; a proof that came before may have settled it already."""
        window = doubt_window_of(claimed, self._settings)
        self._doubts.keep(
            Hold(
                taking=claimed.taking,
                started_at=started_at,
                doubt_ends_at=started_at + window,
                ends_at=started_at + window + self._settings.hold_after_doubt_seconds,
                claimed=claimed,
                enquires_soon=ended.outcome.reason == Reason.CONNECTION_LOST,
                open_ear=ended.open_ear,
                answers_questions=ended.learned.identifies is True,
            )
        )
        return await self._until_stored(
            lambda: outcomes.doubt(self._database, claimed.taking, claimed.payment.id, ended.outcome)
        )

    async def _settle(self, claimed: Claimed, ended: Ended) -> Payment:
        """Store the outcome, again and again until the database has it: a result is never dropped."""
        return await self._until_stored(
            lambda: outcomes.settle(
                self._database,
                claimed.taking,
                claimed.payment,
                ended.outcome,
                ended.learned,
                keep_line=self._asks_identification(claimed, ended) or ended.open_ear is not None,
            )
        )

    async def _listen_on(self, claimed: Claimed, ear: OpenEar) -> None:
        """Listen for one long idle after a 'done' without an amount: it may come late, and be another one.

        The payment has its outcome and its caller the answer; the line is still held for this.
        """
        ends_at = self._clock.boot() + self._settings.idle_end_seconds
        try:
            while (heard := await ear.hear(ends_at, self._settings)) is not None:
                await self._until_stored(partial(self._store_heard, claimed.payment.id, heard))
        finally:
            await ear.connection.close()

    async def _store_heard(self, payment_id: str, heard: Heard) -> Payment:
        return await outcomes.add_evidence(
            self._database, payment_id, heard.evidence, heard.result, brought_by=self._worker
        )

    def _asks_identification(self, claimed: Claimed, ended: Ended) -> bool:
        """Each line is asked once, right after a success (AE 10): a silence then excuses it for good.

        After any other answer it may be silent for a reason of that moment.
        """
        known = claimed.taking.identifies is not None or ended.learned.identifies is not None
        return not known and ended.outcome.event is Event.ANSWERED_DONE

    async def _identify_once(self, claimed: Claimed) -> None:
        """The payment has its outcome and its caller the answer; the line is still held for this."""
        payment, line = claimed.payment, claimed.taking.address

        async def write_until() -> float:
            # This run may have slept since, and a taker frees the line of a finished payment soon.
            looked_at = self._clock.boot()
            still_mine = await outcomes.still_mine(self._database, claimed.taking)
            return looked_at + LOOK_TO_WRITE_SECONDS if still_mine else looked_at

        try:
            profile = Profile.from_dict(json.loads(claimed.profile))
            found = await self._identifier.ask(
                line, payment.protocol, claimed.register_number, profile, write_until
            )
        except ConnectFailed:
            found = Identified.BUSY  # a terminal that takes one connection at a time may still close ours
        except DatabaseAway:
            found = Identified.NOT_ASKED
        teaches = found in (Identified.YES, Identified.SILENT)
        learned = Learned(identifies=found is Identified.YES if teaches else None)
        await self._until_stored(
            lambda: outcomes.release_identified(self._database, claimed.taking, learned, found=found)
        )

    async def _until_stored(self, work: Callable[[], Awaitable[_Stored]]) -> _Stored:
        wait, longest = _RETRY_SECONDS
        while True:
            try:
                return await work()
            except (DatabaseAway, CommitUnknown) as error:
                _log.warning("database away, trying again", error=str(error))
            await asyncio.sleep(self._rng.uniform(wait / 2, wait))
            wait = min(wait * 2, longest)
