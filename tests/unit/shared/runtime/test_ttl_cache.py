"""The cache of looked-up values."""

from in_memory.hand_clock import HandClock

from shared.runtime.shared_reads import TtlCache


async def test_a_value_is_fetched_again_once_it_is_old() -> None:
    """Its age counts from before the fetch; None is a value, too."""
    clock = HandClock()
    cache = TtlCache[str, int | None](clock, 5, max_entries=10)
    values = iter((None, 1, 2))

    async def ask() -> int | None:
        clock.now += 1
        return next(values)

    assert [await cache.fetch("key", ask) for _ in range(2)] == [None, None]
    clock.now += 4
    assert await cache.fetch("key", ask) == 1
    cache.clear()
    assert await cache.fetch("key", ask) == 2


async def test_a_value_that_is_fetched_while_the_cache_is_cleared_is_not_stored() -> None:
    """It may be from before the change for which the cache was cleared; the next call fetches it again."""
    cache = TtlCache[str, str](HandClock(), 5, max_entries=10)

    async def read_and_change() -> str:
        cache.clear()
        return "old"

    async def read() -> str:
        return "new"

    assert await cache.fetch("key", read_and_change) == "old"

    assert await cache.fetch("key", read) == "new"
    assert cache.get("key") == "new"


def test_a_full_cache_drops_the_value_that_was_stored_first() -> None:
    """However many keys come, memory is bounded; a value stored again counts as new."""
    cache = TtlCache[str, int](HandClock(), 5, max_entries=2)
    for number, key in enumerate("abac"):
        cache.put(key, number, since=100.0)

    assert [cache.get(key) for key in "abc"] == [2, None, 3]


def test_a_cache_of_0_seconds_stores_nothing() -> None:
    """0 switches it off."""
    cache = TtlCache[str, int](HandClock(), 0, max_entries=2)
    cache.put("a", 1, since=100.0)

    assert cache.get("a") is None
