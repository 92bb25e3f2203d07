"""Percentiles of a histogram's new values."""

from math import inf

from bench.measures.metrics import percentile_bound


def test_only_values_since_the_last_look_count() -> None:
    """The lag at the start of a process says nothing of the lag under load."""
    before = {0.01: 0.0, 0.05: 10.0, inf: 10.0}
    after = {0.01: 99.0, 0.05: 110.0, inf: 110.0}

    assert percentile_bound(before, after, 99) == 0.01


def test_one_value_in_fifty_moves_the_99th_percentile() -> None:
    """The bound is that of the bucket in which the percentile lies."""
    after = {0.01: 49.0, 0.05: 50.0, inf: 50.0}

    assert percentile_bound({}, after, 99) == 0.05
    assert percentile_bound({}, after, 98) == 0.01


def test_no_new_value_is_no_lag() -> None:
    """A process that was just looked at has none."""
    assert percentile_bound({0.01: 5.0, inf: 5.0}, {0.01: 5.0, inf: 5.0}, 99) == 0.0
