"""A payment's history as a picture: events along a line of time, in the units of the SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

WIDTH: Final = 520
TOP: Final = 18
ROW: Final = 34
LEFT: Final = 150

_TONES: Final = {"succeeded": "good", "in_doubt": "warn", "queued": "info", "in_session": "info"}


@dataclass(frozen=True, slots=True)
class Mark:
    """An event: its place, its time since the first, its words and the state after it."""

    y: int
    since: str
    event: str
    state: str
    tone: str
    #: The state goes on to the next mark.
    to_y: int | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole picture."""

    width: int
    height: int
    marks: tuple[Mark, ...]


def draw(events: Sequence[dict[str, Any]]) -> Timeline:
    """Return the picture of a history, the oldest event at the top."""
    first = _moment(events[0]["at"]) if events else 0.0
    marks = tuple(
        Mark(
            y=TOP + ROW * index,
            since=since(_moment(event["at"]) - first),
            event=event["event"].replace("_", " "),
            state=event["state"],
            tone=_TONES.get(event["state"], "neutral"),
            to_y=TOP + ROW * (index + 1) if index + 1 < len(events) else None,
        )
        for index, event in enumerate(events)
    )
    return Timeline(WIDTH, TOP + ROW * max(1, len(events)), marks)


def since(seconds: float) -> str:
    """Return `+412 ms`, `+12.4 s` or `+3 min 20 s`."""
    if seconds < 1:
        return f"+{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"+{seconds:.1f} s"
    return f"+{int(seconds // 60)} min {int(seconds % 60)} s"


def _moment(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
