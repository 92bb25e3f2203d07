"""Limits of an HTTP connection, and the reasons to end one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.network.client_addresses import UnauthenticatedConnections

#: The key in a request's `state` of the function to call once a client has logged in.
LOGGED_IN: Final = "logged_in"
#: The function in the scope's state that returns True once the client has closed the connection.
CLIENT_LEFT: Final = "client_left"

#: Request line and headers together: the maximum of usual proxies.
HEAD_BYTES: Final = 65_536
HEADERS: Final = 100
#: Bytes and time that are read and discarded of a refused body, so that the client gets the answer.
REST_BYTES: Final = 524_288
REST_SECONDS: Final = 5.0
#: Bytes of chunks beside their content: each chunk costs a call, so that chunks of one byte are an attack.
FRAMING_BYTES: Final = 16_384
FRAMING_FACTOR: Final = 2
#: Data is parsed in pieces, so that limits apply within it and few requests are read at once.
HEAD_PIECE_BYTES: Final = 4_096
BODY_PIECE_BYTES: Final = 16_384


class Refusal(Enum):
    """Reasons to end a connection."""

    MALFORMED = auto()
    HEAD_TOO_LARGE = auto()
    HEAD_TIMEOUT = auto()
    TOO_MANY_CONNECTIONS = auto()


class HeadTooLarge(Exception):
    """Raised by the parser's callbacks for a head over its limits."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits that depend on the server."""

    head_timeout_seconds: float
    unauthenticated: UnauthenticatedConnections
    #: Returns the whole HTTP answer, which ends the connection.
    refuse: Callable[[Refusal], bytes]


class GuardedTransport:
    """The transport as uvicorn sees it; its closing is decided by `BoundedProtocol`."""

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
