"""Figures of repeated measurements: median, least and greatest, percentiles and ratios."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of repeated measurements of one figure."""

    median: float
    least: float
    greatest: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """Return the spread of at least one value."""
        return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def ratio(values: Sequence[float], baseline: Sequence[float]) -> Spread:
    """Return the spread of the turns' ratios: the n-th value to the n-th of the baseline."""
    return Spread.of([value / base for value, base in zip(values, baseline, strict=True)])
