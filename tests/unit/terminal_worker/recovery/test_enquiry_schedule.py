"""Enquiries about a payment in doubt: soon, often, and never too late to read the answer."""

from collections.abc import Iterator
from itertools import islice, takewhile

from shared.settings.settings import Settings
from terminal_worker.recovery import enquiry_schedule

DEFAULTS = Settings()
WINDOW_SECONDS = DEFAULTS.doubt_window_seconds


def within_the_hold(times: Iterator[float]) -> list[float]:
    """Return the times of enquiries of a lease from 0 on, by the usual limits."""
    last = enquiry_schedule.last_time(DEFAULTS.lease_seconds, DEFAULTS)
    return list(takewhile(lambda at: at <= last, times))


def test_a_terminal_is_asked_four_times_after_the_doubt_window() -> None:
    """At its end and 8, 20 and 32 s later; the last answer is there before the lease ends."""
    assert within_the_hold(enquiry_schedule.after_window(WINDOW_SECONDS)) == [275, 283, 295, 307]


def test_a_terminal_that_was_taken_over_is_asked_once_the_margin_has_ended() -> None:
    """Seconds after the takeover, not minutes: at once when the dead worker can write no more."""
    times = enquiry_schedule.after_takeover(0, DEFAULTS.takeover_free_after_seconds, WINDOW_SECONDS)

    assert within_the_hold(times) == [20, 35, 60, 90, 150, 210, 275, 283, 295, 307]


def test_a_taker_asks_nothing_before_its_margin_nor_twice_at_its_end() -> None:
    """A longer margin shortens the list; a shorter window does, too."""
    assert list(islice(enquiry_schedule.after_takeover(0, 60, 100), 4)) == [60, 90, 100, 108]
    assert list(islice(enquiry_schedule.after_takeover(0, 30, 30), 3)) == [30, 38, 50]


def test_after_a_lost_connection_a_terminal_is_asked_until_the_lease_ends() -> None:
    """Our own end is closed: three seconds later the first time, then less and less often."""
    times = within_the_hold(enquiry_schedule.after_lost_connection(30))

    assert times[:5] == [33, 38, 50, 62, 107]
    assert times[-1] == 287


def test_an_enquiry_that_begins_last_is_over_before_the_lease_ends() -> None:
    """Connecting, the check and a slow answer included, for any length of the lease."""
    settings = Settings(lease_after_doubt_seconds=40)

    last = enquiry_schedule.last_time(settings.lease_seconds, settings)

    assert last == settings.lease_seconds - 10 - 10 - 3
    assert last > settings.doubt_window_seconds
