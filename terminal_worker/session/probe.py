"""The probe of a registered terminal: one identification under the terminal lock, with its round-trip time.

The write window is a payment's: a takeover counts on it that nothing is written late.
"""

import asyncio
import json
import random
from typing import Final

import structlog

from shared.broker.messages import ProbeMessage
from shared.broker.reply_publisher import ReplyPublisher
from shared.concert.encode import encode_identification
from shared.concert.interpret import answers_identification
from shared.concert.profile import Profile
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_token
from shared.runtime.resilience import failures_logged, log_failure, until_done
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable
from shared.storage.terminals import probes
from shared.storage.terminals.locks import LockTokens
from shared.storage.terminals.probes import ProbeReport, ProbeResult, StartedProbe
from terminal_worker.session.answer_reader import Answer, AnswerReader, NoAnswer
from terminal_worker.session.connection import (
    Connect,
    ConnectFailed,
    Connection,
    UnexpectedBytes,
    write_request,
)

_log = structlog.get_logger()

#: These are retried. Another error ends the run, since no money depends on it; a lock that it holds is found
#: at the heartbeat.
_DATABASE_FAILURES: Final = (DatabaseUnavailable, CommitUnknown)


class Probes:
    """Runs probes of registered terminals."""

    def __init__(
        self,
        *,
        database: Database,
        connect: Connect,
        tokens: LockTokens,
        reply_publisher: ReplyPublisher,
        clock: Clock,
        settings: Settings,
        worker: str,
        random_bytes: RandomBytes,
        rng: random.Random,
    ) -> None:
        self._database: Final = database
        self._connect: Final = connect
        self._tokens: Final = tokens
        self._reply_publisher: Final = reply_publisher
        self._clock: Final = clock
        self._settings: Final = settings
        self._worker: Final = worker
        self._random_bytes: Final = random_bytes
        self._rng: Final = rng

    async def run(self, message: ProbeMessage) -> None:
        """Acquire the lock, identify, store the result; a second delivery of a message changes nothing."""
        token = new_token(self._random_bytes)
        with self._tokens.in_use(token):
            await self._run(message, token)
        await self._reply_publisher.reply(message.probe_id, message.reply_to)

    async def _run(self, message: ProbeMessage, token: str) -> None:
        # From before the first try on: after a lost commit the lock may be ours since then.
        opened_at = self._clock.boot()
        taken = await until_done(
            lambda: probes.start(
                self._database,
                message.probe_id,
                worker=self._worker,
                token=token,
                lease_seconds=self._settings.probe_lease_seconds,
            ),
            "probe not begun",
            rng=self._rng,
            failures=_DATABASE_FAILURES,
        )
        if taken is not None:
            await self._hold(taken, opened_at)

    async def _hold(self, taken: StartedProbe, opened_at: float) -> None:
        found = ProbeReport(result=ProbeResult.INTERRUPTED)
        try:
            left = opened_at + self._settings.probe_lease_seconds - self._clock.boot()
            async with asyncio.timeout(left):
                found = await self._identify(taken, opened_at)
        except TimeoutError:
            found = ProbeReport(result=ProbeResult.UNREACHABLE, detail="the probe's time was over")
        except Exception as error:
            log_failure("probe failed", error)
        finally:
            # Also while this worker drains: whatever happens, the lock is released.
            await asyncio.shield(self._finish(taken, found))

    async def _finish(self, taken: StartedProbe, found: ProbeReport) -> None:
        terminal_address = taken.grant.address
        freed = await until_done(
            lambda: probes.finish(self._database, taken, found),
            "probe not stored",
            rng=self._rng,
            failures=_DATABASE_FAILURES,
        )
        _log.info("probe ended", terminal_address=terminal_address, result=found.result, freed=freed)
        await self._reply_publisher.publish_next(terminal_address)

    async def _identify(self, taken: StartedProbe, opened_at: float) -> ProbeReport:
        profile = Profile.from_dict(json.loads(taken.profile))
        request = encode_identification(
            protocol=taken.protocol,
            software_id=self._settings.software_id,
            pos_number=taken.pos_number,
            profile=profile,
        )
        try:
            connection = await self._connect(taken.grant.address)
            try:
                return await self._ask(connection, request, taken, opened_at)
            finally:
                with failures_logged("connection not closed"):
                    await connection.close()
        except UnexpectedBytes as error:
            return ProbeReport(result=ProbeResult.NOT_CONCERT, detail=str(error))
        except ConnectFailed as error:
            return ProbeReport(result=ProbeResult.UNREACHABLE, detail=str(error))

    async def _ask(
        self, connection: Connection, request: bytes, taken: StartedProbe, opened_at: float
    ) -> ProbeReport:
        # Check of the clock and write are one step, as for a payment.
        if self._clock.boot() - opened_at >= self._settings.write_window_seconds:
            return ProbeReport(result=ProbeResult.UNREACHABLE, detail="the write window had passed")
        write_request(connection, request)
        written_at = self._clock.boot()
        # No field has to be waited for: none could contradict the request.
        reader = AnswerReader(connection, self._clock, self._settings, sent={}, known=frozenset())
        answer = await reader.read(written_at, written_at + self._settings.identification_timeout_seconds)
        return _probe_result(answer, taken)


def _probe_result(answer: Answer | NoAnswer, taken: StartedProbe) -> ProbeReport:
    if isinstance(answer, Answer):
        round_trip_ms = round(answer.first_byte_after_seconds * 1000)
        identified = answers_identification(answer.frame)
        return ProbeReport(
            result=ProbeResult.REACHABLE if identified else ProbeResult.BUSY, round_trip_ms=round_trip_ms
        )
    if taken.known:
        # Some terminals leave identifications unanswered; this one has answered payments.
        return ProbeReport(
            result=ProbeResult.REACHABLE, detail="it takes connections and answers no identification"
        )
    return ProbeReport(result=ProbeResult.NOT_CONCERT, detail=answer.reason)
