"""What came to the merchant's server, and what it made of each."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from sandbox.pages.formats import when_exactly

#: Older ones are forgotten.
KEPT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request. `status` is what was answered."""

    at_ms: int
    is_verified: bool
    #: Came before and was taken then.
    is_repeat: bool
    #: It was acted upon: verified, new, and not refused by script.
    is_taken: bool
    status: int
    #: Why it was not taken, in words.
    because: str | None
    #: What it says, by name.
    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": when_exactly(self.at_ms)}


class Inbox:
    """Requests of one kind, and the keys of those that were taken."""

    def __init__(self) -> None:
        self.received: Final[deque[Received]] = deque(maxlen=KEPT)
        self._taken: Final[dict[tuple[str, ...], None]] = {}

    def knows(self, *key: str) -> bool:
        """Whether a message of this key was taken before."""
        return key in self._taken

    def take(self, *key: str) -> None:
        """Remember that it was taken."""
        self._taken[key] = None
        if len(self._taken) > KEPT:
            del self._taken[next(iter(self._taken))]

    def reset(self) -> None:
        self.received.clear()
        self._taken.clear()
