"""Reads a terminal's answer: bytes until the protocol's rules say that it is complete, or that none comes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.checkpoints import Checkpoint, no_checkpoint
from shared.clock import Clock
from shared.concert.completeness import Complete, Unreadable, Wait, judge
from shared.concert.decode import Decoder, Frame
from shared.payment.payment import Reason
from shared.settings.settings import Settings
from terminal_worker.connection import Connection


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; what it means is for the codec's reading."""

    frame: Frame
    #: From the write of the request, seconds.
    first_byte_after_seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer, and the request may have arrived."""

    reason: Reason
    detail: str


class AnswerReader:
    """Reads one answer on one connection, by the boot-time clock."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        settings: Settings,
        *,
        sent: Mapping[str, str],
        known: frozenset[str] | None,
        accepts_partial: bool = False,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        """`known`: the sent fields that this terminal always gives back; None: not known, so the close or a
        long silence ends the answer."""
        self._connection: Final = connection
        self._clock: Final = clock
        self._settings: Final = settings
        self._sent: Final = sent
        self._known_echoes: Final = known
        self._accepts_partial: Final = accepts_partial
        self._checkpoint: Final = checkpoint
        self._decoder: Final = Decoder(
            max_bytes=settings.answer_limit_bytes, max_fields=settings.answer_limit_fields
        )
        self._peer_closed = False
        self._first_byte_at: float | None = None
        self._last_byte_at: float | None = None

    async def read(self, written_at: float, ends_at: float) -> Answer | Lost:
        """Return the answer to a request written at `written_at`; wait until `ends_at` (boot-time seconds).

        Called again after an answer time-out it listens on, from where it was.
        """
        last_byte_at = written_at if self._last_byte_at is None else self._last_byte_at
        while True:
            now = self._clock.boot()
            left = ends_at - now
            verdict = self._judge(now - last_byte_at)
            match verdict:
                case Complete():
                    assert self._first_byte_at is not None
                    return Answer(self._decoder.frame(ended=True), self._first_byte_at - written_at)
                case Unreadable(reason):
                    return Lost(Reason.CONNECTION_LOST if self._peer_closed else Reason.UNREADABLE, reason)
                case Wait(seconds):
                    if seconds is not None:
                        # A whole answer is there, but for the silence that ends it.
                        left += self._settings.idle_end_seconds
                    if left <= 0:
                        received = len(self._decoder.received)
                        return Lost(Reason.ANSWER_TIMEOUT, f"{received} bytes came, no whole answer")
                    if await self._read_once(left if seconds is None else min(left, seconds)):
                        last_byte_at = self._last_byte_at = self._clock.boot()
                        if self._first_byte_at is None:
                            self._first_byte_at = last_byte_at

    def _judge(self, idle_seconds: float) -> Complete | Unreadable | Wait:
        ended = self._peer_closed or idle_seconds >= self._settings.idle_end_seconds
        return judge(
            self._decoder.frame(ended=ended),
            sent=self._sent,
            known_echoes=self._known_echoes,
            peer_closed=self._peer_closed,
            idle_seconds=idle_seconds,
            accepts_partial=self._accepts_partial,
            short_idle_seconds=self._settings.idle_end_known_seconds,
            long_idle_seconds=self._settings.idle_end_seconds,
        )

    async def _read_once(self, seconds: float) -> bool:
        """Wait for bytes at most so long; True: some came."""
        try:
            async with asyncio.timeout(seconds):
                received = await self._connection.read()
        except TimeoutError:
            return False
        if not received:
            self._peer_closed = True
            return False
        self._decoder.feed(received)
        await self._checkpoint("mid_answer")
        return True
