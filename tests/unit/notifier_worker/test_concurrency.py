"""Places for deliveries: who gets one, and who looks for more."""

import random
from collections import Counter

from notifier_worker.concurrency import ConcurrencyLimiter


def limiter(limit: int = 100, limit_of_target: int = 3, breaker_failures: int = 2) -> ConcurrencyLimiter:
    return ConcurrencyLimiter(limit=limit, limit_of_target=limit_of_target, breaker_failures=breaker_failures)


def taken(limiter: ConcurrencyLimiter, target: str, tries: int) -> int:
    return sum(limiter.acquire(target) for _ in range(tries))


def test_a_target_gets_its_places_and_no_others() -> None:
    """A slow one leaves room for the rest."""
    ours = limiter()

    assert taken(ours, "slow", 8) == 3
    assert taken(ours, "other", 2) == 2
    assert ours.in_use == 5


def test_all_targets_together_get_no_more_than_the_worker_has() -> None:
    """The slots of the worker are the sum."""
    ours = limiter(limit=4)

    assert [taken(ours, target, 3) for target in ("a", "b", "c", "d", "e")] == [1, 1, 1, 1, 0]


def test_many_slow_targets_leave_places_for_the_next() -> None:
    """However many of them take what they can get: as theirs come back, others find some."""
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


def test_who_got_no_place_is_looked_for_when_one_is_free() -> None:
    """The message is gone by then: the database is asked."""
    ours = limiter()
    taken(ours, "a", 4)
    assert ours.acquire_for_backlog() == []

    ours.release("a")

    assert ours.acquire_for_backlog() == [("a", 1)]
    assert ours.in_use == 3


def test_a_backlog_is_read_once_unless_there_is_more() -> None:
    """A target without anything left costs no further question."""
    ours = limiter()
    taken(ours, "a", 4)
    ours.release("a")
    ours.acquire_for_backlog()
    ours.release("a")
    assert ours.acquire_for_backlog() == []

    ours.note_backlog("a")

    assert ours.acquire_for_backlog() == [("a", 1)]


def test_what_comes_while_the_backlog_is_read_is_looked_for_again() -> None:
    """The read may have been too early for it: nothing waits for the sweep."""
    ours = limiter()
    taken(ours, "a", 4)
    ours.release("a")
    ours.acquire_for_backlog()

    assert not ours.acquire("a")

    ours.release("a")
    assert ours.acquire_for_backlog() == [("a", 1)]


def test_few_places_go_round() -> None:
    """Of many targets with a backlog none gets everything."""
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


def test_a_target_that_keeps_failing_gets_one_place() -> None:
    """Enough to see whether it works again."""
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


def test_what_other_workers_saw_of_a_target_counts_too() -> None:
    """The database knows the failures of all of them."""
    ours = limiter(breaker_failures=2)
    ours.acquire("a")

    ours.set_failures("a", 7)

    assert not ours.acquire("a")


def test_a_target_that_keeps_failing_is_remembered_over_its_pause() -> None:
    """Nothing of it is under way then; after it, still one at a time."""
    ours = limiter(breaker_failures=1)
    ours.acquire("a")
    ours.record_failure("a")

    ours.release("a")

    assert taken(ours, "a", 5) == 1


def test_idle_targets_are_forgotten() -> None:
    """Memory is for what is under way, not for everybody who ever got something."""
    ours = limiter()
    for number in range(1000):
        ours.acquire(f"target-{number}")
        ours.release(f"target-{number}")

    assert ours._targets == {}


def test_no_place_is_lost_or_made_whatever_happens() -> None:
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
