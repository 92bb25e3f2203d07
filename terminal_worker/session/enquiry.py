"""Questions to a terminal that charge nothing: the identification, and the enquiry.

At an enquiry the terminal repeats its last transaction, which can prove success and nothing else.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.concert.encode import encode_enquiry, encode_identification
from shared.concert.enquiry import Grade, interpret_enquiry
from shared.concert.interpret import answers_identification
from shared.concert.profile import Profile
from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Result
from shared.payment.states import Event
from shared.runtime.clock import Clock
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import settling
from shared.storage.payments.claims import Claimed
from terminal_worker.session.answer_reader import Answer, AnswerReader, NoAnswer, stored_answer
from terminal_worker.session.connection import Connect, Connection, close_keeping_result, write_request
from terminal_worker.session.request_builder import PreparedRequest, prepare_request


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


#: From before the check that the lock is still ours to the enquiry's write; a takeover waits longer.
CHECK_TO_WRITE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class EnquiryResult:
    """The result of an enquiry: whether there was an answer (busy is none), and its evidence."""

    answered: bool
    evidence: Evidence | None = None
    result: Result = field(default_factory=Result)


class LockLost(Exception):
    """Raised where the terminal lock is no longer ours: another worker took it over."""


class Enquirer:
    """Enquires about payments in doubt; only the owner of the terminal lock may."""

    def __init__(self, database: Database, connect: Connect, clock: Clock, settings: Settings) -> None:
        self._database: Final = database
        self._connect: Final = connect
        self._clock: Final = clock
        self._settings: Final = settings

    async def enquire(self, claimed: Claimed) -> EnquiryResult:
        """Enquire once. Raises ConnectFailed, LockLost, DatabaseUnavailable."""
        prepared = prepare_request(claimed, self._settings)
        connection = await self._connect(claimed.grant.address)
        try:
            return await self._ask(connection, claimed, prepared)
        finally:
            await close_keeping_result(connection)

    async def _ask(
        self, connection: Connection, claimed: Claimed, prepared: PreparedRequest
    ) -> EnquiryResult:
        checked_at = self._clock.boot()
        if not await settling.holds_lock(self._database, claimed.grant):
            raise LockLost
        # Check of the clock and write are one step, as for the payment itself.
        if self._clock.boot() - checked_at >= CHECK_TO_WRITE_SECONDS:
            return EnquiryResult(answered=False)
        write_request(connection, encode_enquiry(prepared.request, prepared.profile))
        written_at = self._clock.boot()
        # No echo is known of enquiries: only the close or a long silence ends one, so that no receipt is cut.
        reader = AnswerReader(connection, self._clock, self._settings, sent={}, known=None)
        # The check is part of the enquiry's time: all of it has to be over by the end of the lease.
        answer = await reader.read(written_at, checked_at + self._settings.enquiry_timeout_seconds)
        if not isinstance(answer, Answer):
            return EnquiryResult(answered=False, evidence=_unreadable(answer))
        if not answers_identification(answer.frame):
            # Busy: the terminal may be busy with our own request.
            return EnquiryResult(answered=False)
        enquiry = interpret_enquiry(answer.frame, prepared.request)
        if enquiry.grade is Grade.NOTHING:
            return EnquiryResult(answered=True)
        proves = Event.PROVED_DONE if enquiry.grade is Grade.PROOF_OF_SUCCESS else None
        detail = stored_answer(answer.frame, enquiry.parsed)
        if enquiry.gap is not None:
            detail["lack"] = enquiry.gap
        return EnquiryResult(True, Evidence(Source.ENQUIRY, proves, detail), enquiry.parsed.result)


def _unreadable(no_answer: NoAnswer) -> Evidence | None:
    """Return unreadable bytes as a hint for the operator who decides."""
    if not no_answer.unreadable:
        return None
    return Evidence(Source.ENQUIRY, None, {"lost": no_answer.detail, **no_answer.unreadable})
