"""Records of a terminal's sessions: connection, request, answer, charge; and the file that keeps them."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

from sandbox.terminal.server.request import COLLECTION
from shared.concert.fields import Action

_OPERATION_NAMES: dict[str, str] = {
    Action.DEBIT: "debit",
    Action.CREDIT: "credit",
    Action.REVERSAL: "reversal",
    Action.DUPLICATE: "enquiry",
    Action.IDENTIFICATION: "identification",
    COLLECTION: "collection",
}


def operation_name(action: str) -> str:
    """Return the name of a CD, `unknown` for one that the terminal does not know."""
    return _OPERATION_NAMES.get(action, "unknown")


@dataclass(slots=True)
class Passage:
    """Bytes that went in or out in one piece."""

    direction: Literal["in", "out"]
    at_ms: int
    monotonic_ms: float
    #: Latin-1, one character a byte.
    text: str


@dataclass(slots=True)
class SessionRecord:
    """One connection and its transaction. Times in ms, since 1970 or monotonic."""

    peer: str
    #: Start of reading: later than the connection where that waited in the backlog.
    opened_at_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    opened_monotonic_ms: float = field(default_factory=lambda: time.monotonic() * 1000)
    closed_at_ms: int | None = None
    closed_monotonic_ms: float | None = None
    #: debit, credit, reversal, enquiry, identification, collection, unknown; None where no request came.
    operation: str | None = None
    amount_cents: int | None = None
    #: The request's CF.
    reference: str | None = None
    #: done, refused, abandoned, walked_away, busy, rejected, answered (no payment), given_up; None: running.
    outcome: str | None = None
    #: Money moved.
    charged: bool = False
    #: The whole answer was written, to a peer that had not closed.
    answered: bool = False
    passages: list[Passage] = field(default_factory=list)

    def passed(self, direction: Literal["in", "out"], data: bytes) -> None:
        """Record bytes with the current time."""
        self.passages.append(
            Passage(direction, time.time_ns() // 1_000_000, time.monotonic() * 1000, data.decode("latin-1"))
        )

    def open(self) -> None:
        """Record the start of reading."""
        self.opened_at_ms = time.time_ns() // 1_000_000
        self.opened_monotonic_ms = time.monotonic() * 1000

    def close(self) -> None:
        """Record the end of the connection; the first call counts."""
        if self.closed_at_ms is None:
            self.closed_at_ms = time.time_ns() // 1_000_000
            self.closed_monotonic_ms = time.monotonic() * 1000


class SessionLog:
    """Writer of ended sessions as JSON lines; without a path it writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> "SessionLog":
        if self._path is not None:
            self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, record: SessionRecord) -> None:
        """Append one line and flush it."""
        if self._file is not None:
            self._file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
            self._file.flush()


def read_session_log(path: Path) -> list[SessionRecord]:
    """Return the sessions of a file, in the order they ended."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        row["passages"] = [Passage(**passage) for passage in row["passages"]]
        records.append(SessionRecord(**row))
    return records


def overlapping_sessions(records: Iterable[SessionRecord]) -> list[tuple[SessionRecord, SessionRecord]]:
    """Return pairs of sessions that overlap in time: there should be none."""
    overlaps = []
    last_to_end: SessionRecord | None = None
    for record in sorted(records, key=lambda record: record.opened_monotonic_ms):
        if last_to_end is not None and _end(last_to_end) > record.opened_monotonic_ms:
            overlaps.append((last_to_end, record))
        if last_to_end is None or _end(record) > _end(last_to_end):
            last_to_end = record
    return overlaps


def _end(record: SessionRecord) -> float:
    return math.inf if record.closed_monotonic_ms is None else record.closed_monotonic_ms


def charged_twice(records: Sequence[SessionRecord]) -> list[str]:
    """Return references (CF) that were charged more than once: there should be none."""
    counts = Counter(record.reference for record in records if record.charged and record.reference)
    return [reference for reference, count in counts.items() if reference and count > 1]
