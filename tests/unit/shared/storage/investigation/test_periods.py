"""Local days of totals."""

from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from shared.storage.investigation import periods
from shared.storage.investigation.periods import Period

HOUR = 3_600_000
PARIS = ZoneInfo("Europe/Paris")
#: 2026-03-29 and 2026-10-25, 01:00 UTC.
SPRING, AUTUMN = 1_774_746_000_000, 1_792_890_000_000


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the times at which a zone's offset was looked up."""
    found: list[int] = []
    look: Callable[[int, ZoneInfo], int] = periods._offset

    def noted(at: int, zone: ZoneInfo) -> int:
        found.append(at)
        return look(at, zone)

    monkeypatch.setattr(periods, "_offset", noted)
    return found


def test_a_years_changes_of_the_clock_cost_few_looks(looks: list[int]) -> None:
    """35,000 of them held up every other request of the process for as long as fifty take."""
    year = Period(date(2026, 1, 1), date(2026, 12, 31), PARIS)

    assert year.offsets() == [(year.starts_at, HOUR), (SPRING, 2 * HOUR), (AUTUMN, HOUR)]
    assert len(looks) < 1000


@pytest.mark.parametrize("day", [28, 29, 30])
def test_the_change_of_a_clock_is_on_its_own_day(day: int) -> None:
    """Also where the day is the first or the last one."""
    one = Period(date(2026, 3, day), date(2026, 3, day), PARIS)
    before, since = (HOUR, 2 * HOUR)

    assert (
        one.offsets()
        == {
            28: [(one.starts_at, before)],
            29: [(one.starts_at, before), (SPRING, since)],
            30: [(one.starts_at, since)],
        }[day]
    )


def test_a_clock_that_changes_at_midnight_changes_with_the_next_day() -> None:
    """Cuba's did: the day before ends with its own offset."""
    zone = ZoneInfo("America/Havana")
    before = Period(date(2026, 3, 7), date(2026, 3, 7), zone)
    both = Period(date(2026, 3, 7), date(2026, 3, 8), zone)

    assert before.offsets() == [(before.starts_at, -5 * HOUR)]
    assert both.offsets() == [(both.starts_at, -5 * HOUR), (before.ends_at, -4 * HOUR)]
