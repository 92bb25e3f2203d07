"""Sizes of the benchmark: the whole one, and a tiny one that shows that each part runs."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Turns, times and numbers of all parts."""

    turns: int
    slice_seconds: float
    latency_rounds: int
    concurrencies: tuple[int, ...]
    sessions: int
    callers: int
    hold_seconds: float
    #: Terminals and payments of the large installation.
    growth: tuple[int, int]
    #: Sessions of the worker that is flooded, and callers that come at once.
    flooded_sessions: int
    callers_at_once: int
    #: Deliveries that wait for the notifier.
    deliveries: int


WHOLE: Final = Size(
    turns=3,
    slice_seconds=3.0,
    latency_rounds=300,
    concurrencies=(16, 64, 256),
    sessions=5000,
    callers=10_000,
    hold_seconds=5.0,
    growth=(100_000, 200_000),
    flooded_sessions=30,
    callers_at_once=1000,
    deliveries=30_000,
)
TINY: Final = Size(
    turns=1,
    slice_seconds=0.2,
    latency_rounds=4,
    concurrencies=(4,),
    sessions=20,
    callers=20,
    hold_seconds=1.0,
    growth=(400, 1_000),
    flooded_sessions=2,
    callers_at_once=20,
    deliveries=1_000,
)
