"""The simulated afternoon behaves as queues do."""

from bench.saturday import Afternoon, Simulation


def test_every_payment_is_served_and_the_same_seed_gives_the_same() -> None:
    """Nothing is lost in a queue, an outage included."""
    afternoon = Afternoon(terminals=2_000, peak_seconds=60, outage_seconds=5)

    first, second = Simulation(afternoon).run(), Simulation(afternoon).run()

    assert first == second
    assert first.payments > 0.9 * afternoon.rate * afternoon.peak_seconds


def test_sessions_at_once_follow_littles_law() -> None:
    """As many as come in the time that one lasts: 8 s in the median are 9.6 s in the mean."""
    afternoon = Afternoon(terminals=10_000, peak_seconds=120)

    found = Simulation(afternoon).run()

    assert 0.9 < found.most_sessions / (afternoon.rate * 9.6) < 1.4


def test_without_trouble_nobody_waits() -> None:
    """The time added is that of the turns; twice what one process can do makes a queue."""
    calm = Simulation(Afternoon(terminals=2_000, peak_seconds=60)).run()
    crowded = Simulation(
        Afternoon(terminals=40_000, sales_an_hour=60, peak_seconds=20, workers=1, slots_each=10_000)
    ).run()

    assert calm.added_p99 < 0.02
    assert crowded.longest_worker_queue > 1_000


def test_an_outage_of_the_database_delays_what_comes_in_it() -> None:
    """Its longest wait is the outage, and everything recovers."""
    found = Simulation(Afternoon(terminals=5_000, peak_seconds=60, outage_seconds=5)).run()

    assert 5 <= found.added_longest < 8
    assert found.recovery < 5
