"""Clocks and ids."""

import os
import time

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.clock import SystemClock
from shared.runtime.ids import is_payment_id, new_payment_id, new_process_id, new_token


class StoppedClock(SystemClock):
    """A clock that shows one moment."""

    def __init__(self, wall_ms: int) -> None:
        self._wall_ms = wall_ms

    def wall_ms(self) -> int:
        return self._wall_ms


def test_clock_boottime_counts_suspended_time() -> None:
    """After a suspension of the machine the write window must be over."""
    assert abs(SystemClock().boot() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_wall_time_is_milliseconds_of_utc() -> None:
    """Thirteen digits for the next two centuries."""
    assert abs(SystemClock().wall_ms() - time.time() * 1000) < 1000


@given(st.integers(min_value=0, max_value=2**47), st.binary(min_size=10, max_size=10))
def test_a_payment_id_has_30_characters_and_is_recognised(wall_ms: int, noise: bytes) -> None:
    """It fits field CF and can be told from the private data of a terminal."""
    payment_id = new_payment_id(StoppedClock(wall_ms), lambda _count: noise)

    assert len(payment_id) == 30
    assert is_payment_id(payment_id)


def test_payment_ids_sort_by_time() -> None:
    """An index on them is a timeline."""
    ids = [new_payment_id(StoppedClock(ms), os.urandom) for ms in (1, 1_763_000_000_000, 1_763_000_000_001)]

    assert ids == sorted(ids)


def test_other_texts_are_not_payment_ids() -> None:
    """Lower case, letters outside of the alphabet, another length, another prefix."""
    good = new_payment_id(SystemClock(), os.urandom)

    for text in (
        "",
        good.lower(),
        good[:-1] + "U",
        good[:-1] + "I",
        good + "0",
        "ord" + good[3:],
        good + "\n",
    ):
        assert not is_payment_id(text)


def test_the_same_seed_gives_the_same_names() -> None:
    """A simulation replays."""
    assert new_token(bytes) == "0" * 32
    assert new_process_id(bytes) == "0" * 16
    assert new_token(os.urandom) != new_token(os.urandom)
