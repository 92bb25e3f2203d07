"""Identification: a ping that shows nothing on the terminal's screen."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from shared.concert.encode import encode_identification
from shared.concert.interpret import answers_identification
from shared.concert.profile import Profile
from shared.runtime.clock import Clock
from shared.settings.settings import Settings
from terminal_worker.session.answer_reader import Answer, AnswerReader
from terminal_worker.session.connection import Connect, write_request


class IdentificationResult(StrEnum):
    """The result of an identification."""

    #: A complete answer: the terminal is there, and shows no earlier amount.
    YES = "yes"
    #: It answered busy.
    BUSY = "busy"
    #: No complete answer in time.
    SILENT = "silent"
    #: Nothing was written: the lock could be another worker's by then.
    NOT_ASKED = "not_asked"


#: Returns the boot-time (seconds) from which on nothing may be written; called once connected.
WriteUntil = Callable[[], Awaitable[float]]


class Identifier:
    """Asks terminals whether they are there and free; the caller holds the terminal lock."""

    def __init__(self, connect: Connect, clock: Clock, settings: Settings) -> None:
        self._connect: Final = connect
        self._clock: Final = clock
        self._settings: Final = settings

    async def ask(
        self, terminal_address: str, protocol: str, pos_number: str, profile: Profile, write_until: WriteUntil
    ) -> IdentificationResult:
        """Ask once, on a connection of its own. Raises ConnectFailed, and what `write_until` raises."""
        request = encode_identification(
            protocol=protocol,
            software_id=self._settings.software_id,
            pos_number=pos_number,
            profile=profile,
        )
        connection = await self._connect(terminal_address)
        try:
            until = await write_until()
            # Check of the clock and write are one step, as for a payment: a run that slept may be taken over.
            if self._clock.boot() >= until:
                return IdentificationResult.NOT_ASKED
            write_request(connection, request)
            written_at = self._clock.boot()
            # No field has to be waited for: none could contradict the request.
            reader = AnswerReader(connection, self._clock, self._settings, sent={}, known=frozenset())
            answer = await reader.read(written_at, written_at + self._settings.identification_timeout_seconds)
        finally:
            await connection.close()
        if not isinstance(answer, Answer):
            return IdentificationResult.SILENT
        return IdentificationResult.YES if answers_identification(answer.frame) else IdentificationResult.BUSY
