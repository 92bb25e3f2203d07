"""Figures of the benchmarks."""

from bench.figures import Spread, percentile, ratio


def test_a_spread_is_median_least_and_greatest() -> None:
    """One turn that a stall made slow moves the least value, not the median."""
    assert Spread.of([7.0, 1.0, 5.0]) == Spread(median=5.0, least=1.0, greatest=7.0)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """99 of 100 values are not above it; of one value it is that value."""
    assert percentile(list(range(100)), 99) == 99
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([4.0], 99) == 4.0


def test_a_ratio_compares_the_values_of_the_same_turn() -> None:
    """A turn in which the machine was half as fast has the same ratio."""
    assert ratio([10.0, 5.0, 12.0], [100.0, 50.0, 100.0]) == Spread(0.1, 0.1, 0.12)
