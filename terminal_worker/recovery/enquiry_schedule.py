"""The times at which the terminal of a payment in doubt is asked for its last transaction.

After a lost connection soon, since our own end is closed. After any other end not before the doubt window
ends, since the session that was not understood may live until then. After a takeover from the taker's margin
on: the dead worker writes nothing more, a proof of success is one whenever it is seen, and of two connections
at the terminal then at most one, a stopped worker's silent one, is not an enquiry.
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
#: After a takeover, seconds from its claim, besides the end of the taker's margin.
_TAKEN_OVER_SECONDS: Final = (35.0, 60.0, 90.0, 150.0, 210.0)


def after_lost_connection(lost_at: float) -> Iterator[float]:
    """Return the times to ask, without an end; all times are boot-time seconds."""
    return _from(lost_at, _SOON_SECONDS)


def after_window(ends_at: float) -> Iterator[float]:
    """Return the times to ask where the doubt window ends then, without an end."""
    return _from(ends_at, _AFTER_WINDOW_SECONDS)


def after_takeover(taken_at: float, frees_from: float, window_ends_at: float) -> Iterator[float]:
    """Return the times to ask after a takeover, without an end; `frees_from` is the end of its margin."""
    early = {frees_from, *(taken_at + seconds for seconds in _TAKEN_OVER_SECONDS)}
    in_window = [at for at in sorted(early) if frees_from <= at < window_ends_at]
    return itertools.chain(in_window, after_window(window_ends_at))


def last_time(hold_ends_at: float, settings: Settings) -> float:
    """Return until when an enquiry may begin: connecting, look and answer have to be over by the hold's end.

    The settings' check leaves time for the one at the doubt window's end.
    """
    return hold_ends_at - settings.enquiry_total_seconds


def _from(begun_at: float, first: tuple[float, ...]) -> Iterator[float]:
    yield from (begun_at + seconds for seconds in first)
    yield from itertools.count(begun_at + first[-1] + _EVERY_SECONDS, _EVERY_SECONDS)
