"""What became of one try to send a message."""

from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """What the sender does next."""

    ACKNOWLEDGED = "acknowledged"
    #: Sent again after a while.
    AGAIN = "again"
    #: Never sent again: the receiver says that it never takes this one.
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The receiver's answer; `status` is None where there was none."""

    verdict: Decision
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, at `at_ms` (Unix time)."""

    at_ms: int
    outcome: AttemptResult
