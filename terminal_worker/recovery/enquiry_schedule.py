"""The schedule of enquiries about a payment in doubt.

They begin soon after a lost connection, since our own end is closed. After any other end they begin when the
doubt window ends, since the terminal's session may be open until then. After a takeover they begin when its
margin ends: the dead worker writes nothing more, and at most one other connection of the terminal, a stopped
worker's silent one, is then open.
"""

import itertools
from collections.abc import Iterator
from typing import Final

from shared.settings.settings import Settings

#: After a lost connection, seconds from there on; then every `_EVERY_SECONDS`.
_SOON_SECONDS: Final = (3.0, 8.0, 20.0, 32.0)
#: After the end of the doubt window, seconds from there on; then every `_EVERY_SECONDS`.
_AFTER_WINDOW_SECONDS: Final = (0.0, 8.0, 20.0, 32.0)
_EVERY_SECONDS: Final = 45.0
#: After a takeover, seconds from it, besides the end of its margin.
_TAKEN_OVER_SECONDS: Final = (35.0, 60.0, 90.0, 150.0, 210.0)


def after_lost_connection(lost_at: float) -> Iterator[float]:
    """Return the endless times of enquiries, in boot-time seconds."""
    return _from(lost_at, _SOON_SECONDS)


def after_window(ends_at: float) -> Iterator[float]:
    """Return the endless times of enquiries where the doubt window ends at `ends_at`."""
    return _from(ends_at, _AFTER_WINDOW_SECONDS)


def after_takeover(taken_over_at: float, frees_from: float, window_ends_at: float) -> Iterator[float]:
    """Return the endless times of enquiries after a takeover; `frees_from` is the end of its margin."""
    early = {frees_from, *(taken_over_at + seconds for seconds in _TAKEN_OVER_SECONDS)}
    in_window = [at for at in sorted(early) if frees_from <= at < window_ends_at]
    return itertools.chain(in_window, after_window(window_ends_at))


def last_time(lease_ends_at: float, settings: Settings) -> float:
    """Return the latest time at which an enquiry may begin: it has to be over by the lease's end.

    The check of the settings leaves time for the enquiry at the doubt window's end.
    """
    return lease_ends_at - settings.enquiry_total_seconds


def _from(begun_at: float, first: tuple[float, ...]) -> Iterator[float]:
    yield from (begun_at + seconds for seconds in first)
    yield from itertools.count(begun_at + first[-1] + _EVERY_SECONDS, _EVERY_SECONDS)
