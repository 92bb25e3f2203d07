"""Retries: how often, and after how long."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cloud_terminal_client.errors import (
    CloudTerminalError,
    NoAnswer,
    NoConnection,
    ServerError,
    TooManyRequests,
    UnreadableAnswer,
)
from cloud_terminal_client.exchange import Answer, Call, Clock, Lost, NotSent, Pause, Reply, Request, ask

#: Statuses of a server that cannot answer at this moment.
PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
#: Errors that say nothing of what was asked for.
PASSING_ERRORS: Final = (NoConnection, NoAnswer, ServerError, TooManyRequests, UnreadableAnswer)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Number of tries, and pauses between them: each a random part of twice the one before."""

    tries: int = 6
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 8.0

    def pause_seconds(self, failures: int, random: Callable[[], float], asked: float | None) -> float:
        """Return the pause after so many failures; never shorter than the server asked for."""
        most = min(self.longest_pause_seconds, self.first_pause_seconds * float(1 << min(failures - 1, 16)))
        return max(most * (0.5 + random() / 2), asked or 0.0)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The surroundings of a call: policy, clock and randomness."""

    policy: RetryPolicy
    clock: Clock
    #: A number from 0 to 1.
    random: Callable[[], float]


def error_of(reply: Reply) -> CloudTerminalError:
    """Return the error of a reply that is none of success, with its cause."""
    if isinstance(reply, Answer):
        return reply.error()
    made = NoConnection if isinstance(reply, NotSent) else NoAnswer
    error = made(f"{type(reply.cause).__name__}: {reply.cause}")
    error.__cause__ = reply.cause
    return error


def asked_pause(reply: Reply) -> float | None:
    return reply.retry_after_seconds() if isinstance(reply, Answer) else None


def answered(request: Request, around: Surroundings) -> Call[Answer]:
    """Return the successful answer, after retries where they help. Raises a CloudTerminalError.

    A request that is not repeatable is sent again only where it certainly was not carried out.
    """
    failures = 0
    while True:
        reply = yield from ask(request)
        if isinstance(reply, Answer) and reply.status < 400:
            return reply
        failures += 1
        if failures >= around.policy.tries or not _may_repeat(request, reply):
            raise error_of(reply)
        yield Pause(around.policy.pause_seconds(failures, around.random, asked_pause(reply)))


def _may_repeat(request: Request, reply: Reply) -> bool:
    match reply:
        case NotSent():
            return True
        case Lost():
            return request.repeatable
        case Answer(status=429 | 503):
            return True
        case Answer(status=status):
            return request.repeatable and status in PASSING
