"""Calls in the long run and at once, by a clock that is an argument."""

from api.limits.fair_shares import Rate, TokenBuckets


def test_a_burst_passes_and_then_the_rate() -> None:
    """So many at once, then one for each token that came meanwhile."""
    buckets = TokenBuckets(Rate(per_second=2, burst=5))

    assert [buckets.take("till", 0.0).retry_after_seconds for _ in range(6)] == [None] * 5 + [1]
    assert buckets.take("till", 0.4).retry_after_seconds == 1
    assert buckets.take("till", 0.5).retry_after_seconds is None
    assert buckets.take("till", 0.5).retry_after_seconds == 1


def test_in_the_long_run_the_rate_is_kept() -> None:
    """Whatever is asked for, and however unevenly."""
    buckets = TokenBuckets(Rate(per_second=0.2, burst=3))

    taken = [moment for moment in range(1000) if buckets.take("till", moment).retry_after_seconds is None]

    assert len(taken) == 3 + 999 // 5
    assert buckets.take("till", 10_000).remaining == 2, "it is never fuller than full"


def test_what_is_left_is_told() -> None:
    """The burst, what remains of it, until when it is whole; how long to wait where nothing does."""
    buckets = TokenBuckets(Rate(per_second=0.5, burst=2))

    first, second, third = (buckets.take("till", 100.0) for _ in range(3))

    assert first.headers == {"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "2"}
    assert second.headers == {"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "4"}
    assert third.headers == second.headers
    assert third.retry_after_seconds == 2


def test_each_key_has_its_own_and_few_are_remembered() -> None:
    """Memory is bounded; the bucket used longest ago is forgotten."""
    buckets = TokenBuckets(Rate(per_second=0.001, burst=1), most=2)
    assert buckets.take("a", 0.0).retry_after_seconds is None
    assert buckets.take("b", 0.0).retry_after_seconds is None
    assert buckets.take("a", 0.0).retry_after_seconds == 1000

    assert buckets.take("c", 0.0).retry_after_seconds is None

    assert buckets.take("a", 0.0).retry_after_seconds == 1000
    assert buckets.take("b", 0.0).retry_after_seconds is None, "it was forgotten"
