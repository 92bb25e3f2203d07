"""Failed log-ins by address and by name, with a clock that is an argument."""

import ipaddress
from typing import Any

import pytest
from in_memory.hand_clock import HandClock
from structlog.testing import capture_logs

from api.limits.failed_logins import FailedLogins, MustPause

HOME, AWAY, PROXY = "192.0.2.1", "192.0.2.2", "127.0.0.1"


def failed_logins(clock: HandClock, **changes: Any) -> FailedLogins:
    limits: dict[str, Any] = {
        "limit_per_address": 3,
        "limit_per_name": 5,
        "longest_pause_seconds": 60,
        "exempt": (ipaddress.ip_network("127.0.0.0/8"),),
    }
    return FailedLogins(clock, **{**limits, **changes})


def pause(failures: FailedLogins, name: str, client: str | None) -> int:
    """Return how long this log-in has to pause; 0: it is looked at."""
    try:
        failures.check(name, "wrong", client)
    except MustPause as paused:
        return paused.seconds
    return 0


def test_an_address_that_fails_has_to_pause_longer_each_time() -> None:
    """A second, then twice as long, up to the longest; other addresses do not."""
    clock = HandClock()
    failures = failed_logins(clock)
    pauses = []
    for number in range(12):
        failures.failed(f"name-{number}", HOME)
        pauses.append(pause(failures, "another", HOME))
        assert pause(failures, "another", AWAY) == 0
        clock.now += pauses[-1]
        assert pause(failures, "another", HOME) == 0

    assert pauses == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_a_name_that_fails_has_to_pause_wherever_it_comes_from() -> None:
    """Known or not: nothing here knows names."""
    failures = failed_logins(HandClock())
    for number in range(5):
        assert pause(failures, "till", AWAY) == 0
        failures.failed("till", f"198.51.100.{number}")

    with pytest.raises(MustPause) as paused:
        failures.check("till", "wrong", AWAY)
    assert (paused.value.seconds, paused.value.limit) == (1, 5)
    assert pause(failures, "till", None) == 1
    assert pause(failures, "another", AWAY) == 0


def test_a_secret_that_was_right_never_has_to_pause() -> None:
    """Whoever fails on purpose keeps no POS from paying."""
    failures = failed_logins(HandClock())
    failures.succeeded("till", "right")
    for _ in range(50):
        failures.failed("till", HOME)

    failures.check("till", "right", HOME)
    with pytest.raises(MustPause):
        failures.check("till", "wrong", HOME)


def test_failures_of_long_ago_are_forgotten() -> None:
    """A slip now and then adds up to nothing."""
    clock = HandClock()
    failures = failed_logins(clock)
    for _ in range(10):
        failures.failed("till", HOME)
        failures.failed("till", HOME)
        assert pause(failures, "till", HOME) == 0
        clock.now += 601


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", HOME, True),
        ("nonsense", "nonsense", True),
    ],
)
def test_a_site_is_one_address(one: str, other: str, *, same: bool) -> None:
    """A /64 of IPv6; an IPv4 address in either form; a text that a proxy let through stands for itself."""
    failures = failed_logins(HandClock())
    for _ in range(3):
        failures.failed("till", one)

    assert (pause(failures, "another", other) > 0) is same


def test_a_proxy_stands_for_many() -> None:
    """Its own address is not counted."""
    failures = failed_logins(HandClock())
    for number in range(100):
        failures.failed(f"name-{number}", PROXY)

    assert pause(failures, "another", PROXY) == 0


def test_memory_is_bounded_and_so_is_what_is_logged() -> None:
    """Any number of names, of any length."""
    failures = failed_logins(HandClock())
    with capture_logs() as logs:
        failures.failed("n" * 50_000, HOME)
    assert [(line["event"], len(line["name"]), line["client"]) for line in logs] == [
        ("log-in failed", 67, HOME)
    ]

    for number in range(30_000):
        failures._count(("name", str(number)), 0.0)
    assert len(failures._failures) == 10_000
