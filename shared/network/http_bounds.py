"""The bounds of a connection, and the reasons to end one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.network.connection_limits import Strangers

#: The key of a request's `state` under which the application finds what to call once somebody has logged in.
LOGGED_IN: Final = "logged_in"

#: Request line and headers together: what usual proxies allow at most.
HEAD_BYTES: Final = 65_536
HEADERS: Final = 100
#: Read away of a refused body, or after a refusal, so that the client sees the answer.
REST_BYTES: Final = 524_288
REST_SECONDS: Final = 5.0
#: What chunks may cost beside their content; each costs a call, so that chunks of one byte are an attack.
FRAMING_BYTES: Final = 16_384
FRAMING_FACTOR: Final = 2
#: What comes at once is read in pieces, so that a limit holds within them and few requests are read at once.
HEAD_PIECE_BYTES: Final = 4_096
BODY_PIECE_BYTES: Final = 16_384


class Refusal(Enum):
    """Reasons to end a connection."""

    MALFORMED = auto()
    HEAD_TOO_LARGE = auto()
    HEAD_TIMEOUT = auto()
    TOO_MANY_CONNECTIONS = auto()


class HeadTooLarge(Exception):
    """Raised out of the parser's callbacks."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Differ from one server to another."""

    head_timeout_seconds: float
    strangers: Strangers
    #: Returns the whole HTTP answer, which ends the connection.
    refuse: Callable[[Refusal], bytes]


class OwnEnd:
    """The connection's transport; only its end is ours."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.close: Final = close
        self.write: Final = transport.write
        self.pause_reading: Final = transport.pause_reading
        self.resume_reading: Final = transport.resume_reading
        self.get_extra_info: Final = transport.get_extra_info
        self._transport: Final = transport
        self.is_ending = False

    def is_closing(self) -> bool:
        return self.is_ending or self._transport.is_closing()
