"""Received messages of the merchant's server with their results."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from sandbox.pages.formats import when_exactly

#: Older messages are dropped.
KEPT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One received message; `status` is the answer's."""

    at_ms: int
    is_verified: bool
    #: A message of this key was taken before.
    is_repeat: bool
    #: Verified, new, and not refused by script.
    is_taken: bool
    status: int
    #: Reason where it was not taken.
    because: str | None
    #: The message's fields.
    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": when_exactly(self.at_ms)}


class Inbox:
    """Requests of one kind, and the keys of those that were taken."""

    def __init__(self) -> None:
        self.received: Final[deque[Received]] = deque(maxlen=KEPT)
        self._taken: Final[dict[tuple[str, ...], None]] = {}

    def knows(self, *key: str) -> bool:
        """Return whether a message of this key was taken before."""
        return key in self._taken

    def take(self, *key: str) -> None:
        """Mark the key as taken."""
        self._taken[key] = None
        if len(self._taken) > KEPT:
            del self._taken[next(iter(self._taken))]

    def reset(self) -> None:
        self.received.clear()
        self._taken.clear()
