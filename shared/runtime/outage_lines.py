"""A limit on the log lines of an outage: with traffic every payment and every retry would write one.

The lines that are left out are written at level `debug`; the next one that is not has their number. Metrics
count whatever fails, and each request has its access line with its error all the same.
"""

import time
from collections.abc import Callable
from typing import Final, Literal

import structlog

Kind = Literal["database", "broker"]

#: Lines at once, and the pause after which a further one may be written: three in an outage of 20 s.
LINES_AT_ONCE: Final = 2
PAUSE_SECONDS: Final = 30.0

_log = structlog.get_logger()


class OutageLines:
    """The lines that each kind of outage may still write, as a bucket that fills slowly."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        #: By kind: how many may be written now, since when, and how many were left out.
        self._free: Final[dict[Kind, float]] = {}
        self._since: Final[dict[Kind, float]] = {}
        self._left_out: Final[dict[Kind, int]] = {}

    def take(self, kind: Kind) -> int | None:
        """Return how many lines were left out before this one; None: leave it out, too."""
        now = self._clock()
        passed = (now - self._since.get(kind, now)) / PAUSE_SECONDS
        free = min(float(LINES_AT_ONCE), self._free.get(kind, float(LINES_AT_ONCE)) + passed)
        self._since[kind] = now
        if free < 1:
            self._free[kind] = free
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._free[kind] = free - 1
        return self._left_out.pop(kind, 0)


class _Limit:
    """The limit of this process; None: every line is written."""

    lines: OutageLines | None = None


_limit: Final = _Limit()


def limit_outage_lines(lines: OutageLines | None) -> None:
    """Limit the lines of outages from now on, or no longer with None."""
    _limit.lines = lines


def log_outage(
    kind: Kind, event: str, level: Literal["info", "warning", "error"] = "warning", /, **fields: object
) -> None:
    """Log a failure that an outage causes, or leave it out."""
    left_out = 0 if _limit.lines is None else _limit.lines.take(kind)
    if left_out is None:
        _log.debug(event, **fields)
        return
    more = {"left_out": left_out} if left_out else {}
    getattr(_log, level)(event, **fields, **more)
