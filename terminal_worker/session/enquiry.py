"""The enquiry: the terminal repeats its last transaction. It can prove success, and nothing else."""

from dataclasses import dataclass, field
from typing import Final

from shared.concert.encode import encode_enquiry
from shared.concert.enquiry import Grade, interpret_enquiry
from shared.concert.interpret import answers_identification
from shared.payment.evidence import Evidence, Source
from shared.payment.settlement import Result
from shared.payment.states import Event
from shared.runtime.clock import Clock
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import settling
from shared.storage.payments.claims import Claimed
from terminal_worker.session.answer_meaning import kept_of
from terminal_worker.session.answer_reader import Answer, AnswerReader, Lost
from terminal_worker.session.connection import Connect, Connection, close_keeping_result, write_request
from terminal_worker.session.request_builder import PreparedRequest, prepare_request

#: From before the read that says the line is still ours to the enquiry's write; a taker waits longer.
LOOK_TO_WRITE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Enquired:
    """What came of an enquiry: whether there was an answer (busy is none), what it says of the payment."""

    answered: bool
    evidence: Evidence | None = None
    result: Result = field(default_factory=Result)


class LockLost(Exception):
    """The line is no longer ours: somebody took it over."""


class Enquirer:
    """Asks the terminal of a payment in doubt; the holder of the line is the only one who may."""

    def __init__(self, database: Database, connect: Connect, clock: Clock, settings: Settings) -> None:
        self._database: Final = database
        self._connect: Final = connect
        self._clock: Final = clock
        self._settings: Final = settings

    async def enquire(self, claimed: Claimed) -> Enquired:
        """Ask once. Raises ConnectFailed, LineLost, DatabaseUnavailable."""
        prepared = prepare_request(claimed, self._settings)
        connection = await self._connect(claimed.grant.address)
        try:
            return await self._ask(connection, claimed, prepared)
        finally:
            await close_keeping_result(connection)

    async def _ask(self, connection: Connection, claimed: Claimed, prepared: PreparedRequest) -> Enquired:
        looked_at = self._clock.boot()
        if not await settling.still_mine(self._database, claimed.grant):
            raise LockLost
        # Look at the clock and write: one step, as for the payment itself.
        if self._clock.boot() - looked_at >= LOOK_TO_WRITE_SECONDS:
            return Enquired(answered=False)
        write_request(connection, encode_enquiry(prepared.request, prepared.profile))
        written_at = self._clock.boot()
        # No echo is known of enquiries: only the close or a long silence ends one, lest a ticket is cut.
        reader = AnswerReader(connection, self._clock, self._settings, sent={}, known=None)
        # The look is part of the enquiry's time: it has to be over by the end of the hold.
        answer = await reader.read(written_at, looked_at + self._settings.enquiry_timeout_seconds)
        if not isinstance(answer, Answer):
            return Enquired(answered=False, evidence=_unread(answer))
        if not answers_identification(answer.frame):
            # Busy: it may well be our own request that it is busy with.
            return Enquired(answered=False)
        enquiry = interpret_enquiry(answer.frame, prepared.request)
        if enquiry.grade is Grade.NOTHING:
            return Enquired(answered=True)
        proves = Event.PROVED_DONE if enquiry.grade is Grade.PROOF_OF_SUCCESS else None
        detail = kept_of(answer.frame, enquiry.parsed)
        if enquiry.gap is not None:
            detail["lack"] = enquiry.gap
        return Enquired(True, Evidence(Source.ENQUIRY, proves, detail), enquiry.parsed.result)


def _unread(lost: Lost) -> Evidence | None:
    """Keep what cannot be read for the person who decides."""
    if not lost.unread:
        return None
    return Evidence(Source.ENQUIRY, None, {"lost": lost.detail, **lost.unread})
