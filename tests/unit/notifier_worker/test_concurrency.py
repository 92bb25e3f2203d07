"""Slots for deliveries, and the backlogs of targets without a free slot."""

import random
from collections import Counter

from notifier_worker.concurrency import ConcurrencyLimiter


def limiter(limit: int = 100, limit_of_target: int = 3, breaker_failures: int = 2) -> ConcurrencyLimiter:
    return ConcurrencyLimiter(limit=limit, limit_of_target=limit_of_target, breaker_failures=breaker_failures)


def taken(limiter: ConcurrencyLimiter, target: str, tries: int) -> int:
    return sum(limiter.acquire(target) for _ in range(tries))


def test_a_target_gets_its_slots_and_no_others() -> None:
    """A slow target does not block the rest."""
    ours = limiter()

    assert taken(ours, "slow", 8) == 3
    assert taken(ours, "other", 2) == 2
    assert ours.in_use == 5


def test_all_targets_together_get_no_more_than_the_worker_has() -> None:
    """The slots of the worker are the sum."""
    ours = limiter(limit=4)

    assert [taken(ours, target, 3) for target in ("a", "b", "c", "d", "e")] == [1, 1, 1, 1, 0]


def test_many_slow_targets_leave_slots_for_the_next() -> None:
    """However many slow targets there are: as they release slots, others get some."""
    ours, in_use = limiter(limit=512, limit_of_target=16), Counter[str]()
    slow = [f"slow-{number}" for number in range(100)]
    for _ in range(20):
        for target in slow:
            in_use[target] += taken(ours, target, 20)
        for target in slow:
            if in_use[target]:
                in_use[target] -= 1
                ours.release(target)

    assert [taken(ours, f"innocent-{number}", 1) for number in range(4)] == [1, 1, 1, 1]


def test_the_only_target_of_a_kind_gets_everything() -> None:
    """HiPay shares its slots with nobody."""
    assert taken(limiter(limit=32, limit_of_target=32), "hipay", 40) == 32


def test_a_target_without_a_free_slot_has_a_backlog() -> None:
    """Its message is acknowledged, so the database is read when a slot is free."""
    ours = limiter()
    taken(ours, "a", 4)
    assert ours.acquire_for_backlog() == []

    ours.release("a")

    assert ours.acquire_for_backlog() == [("a", 1)]
    assert ours.in_use == 3


def test_a_backlog_is_read_once_unless_there_is_more() -> None:
    """A target without a backlog costs no further query."""
    ours = limiter()
    taken(ours, "a", 4)
    ours.release("a")
    ours.acquire_for_backlog()
    ours.release("a")
    assert ours.acquire_for_backlog() == []

    ours.note_backlog("a")

    assert ours.acquire_for_backlog() == [("a", 1)]


def test_a_delivery_that_comes_while_the_backlog_is_read_is_a_new_backlog() -> None:
    """The read may have been too early for it; it does not wait for the sweep."""
    ours = limiter()
    taken(ours, "a", 4)
    ours.release("a")
    ours.acquire_for_backlog()

    assert not ours.acquire("a")

    ours.release("a")
    assert ours.acquire_for_backlog() == [("a", 1)]


def test_few_slots_are_shared_in_turns() -> None:
    """Of many targets with a backlog none gets all slots."""
    ours = limiter(limit=3, limit_of_target=3)
    taken(ours, "busy", 3)
    targets = ["a", "b", "c", "d"]
    for target in targets:
        ours.acquire(target)
    turns: Counter[str] = Counter()

    for _ in range(3):
        ours.release("busy")
    for _ in range(8):
        for target, slots in ours.acquire_for_backlog():
            turns[target] += 1
            ours.note_backlog(target)
            for _ in range(slots):
                ours.release(target)

    assert turns == dict.fromkeys(targets, 2)


def test_a_target_that_keeps_failing_gets_one_slot() -> None:
    """One delivery shows whether it works again."""
    ours = limiter(breaker_failures=2)
    ours.acquire("a")
    ours.record_failure("a")
    assert taken(ours, "a", 1) == 1
    ours.record_failure("a")
    ours.release("a")
    ours.release("a")

    assert taken(ours, "a", 5) == 1

    ours.record_success("a")
    assert ours.acquire_for_backlog() == [("a", 2)]


def test_failures_at_other_workers_count_too() -> None:
    """The database has the failures at all workers."""
    ours = limiter(breaker_failures=2)
    ours.acquire("a")

    ours.set_failures("a", 7)

    assert not ours.acquire("a")


def test_a_target_that_keeps_failing_is_kept_during_its_pause() -> None:
    """It has no delivery then; afterwards it still gets one slot."""
    ours = limiter(breaker_failures=1)
    ours.acquire("a")
    ours.record_failure("a")

    ours.release("a")

    assert taken(ours, "a", 5) == 1


def test_idle_targets_are_removed() -> None:
    """Memory depends on the running deliveries, not on all targets ever."""
    ours = limiter()
    for number in range(1000):
        ours.acquire(f"target-{number}")
        ours.release(f"target-{number}")

    assert ours._targets == {}


def test_no_slot_is_lost_or_invented() -> None:
    """Ten thousand random steps: the sum is that of the targets, and within the limits."""
    rng = random.Random(5)
    ours, in_use = limiter(limit=7), Counter[str]()
    targets = ["a", "b", "c", "d"]
    for _ in range(10_000):
        target = rng.choice(targets)
        step = rng.randrange(6)
        if step == 0:
            in_use[target] += ours.acquire(target)
        elif step == 1 and in_use[target]:
            in_use[target] -= 1
            ours.release(target)
        elif step == 2 and in_use[target]:
            rng.choice([ours.record_failure, ours.record_success, ours.note_backlog])(target)
        elif step == 3:
            for of_target, slots in ours.acquire_for_backlog():
                in_use[of_target] += slots

        assert ours.in_use == in_use.total() <= 7
        assert max(in_use.values(), default=0) <= 3

    for target in list(in_use.elements()):
        ours.release(target)
    assert ours.in_use == 0
