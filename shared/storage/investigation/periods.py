"""Local days of a time zone, the unit of totals."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = date(1970, 1, 1)
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000


def day_number(day: date) -> int:
    """Return the days from 1970-01-01 to a day."""
    return (day - _EPOCH).days


def day_of_number(number: int) -> date:
    """Return the day so many days after 1970-01-01."""
    return _EPOCH + timedelta(days=number)


def day_of_time(at: int, zone: ZoneInfo) -> date:
    """Return the local day of a time in milliseconds since 1970 UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()


@dataclass(frozen=True, slots=True)
class Period:
    """Whole local days, the last included."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def starts_at(self) -> int:
        """Milliseconds since 1970 UTC of the first day's midnight."""
        return _midnight(self.first, self.zone)

    @property
    def ends_at(self) -> int:
        """Milliseconds since 1970 UTC of the midnight after the last day."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    def days(self) -> list["Period"]:
        """Return each day as a period of its own, in order."""
        count = (self.last - self.first).days + 1
        days = [self.first + timedelta(days=number) for number in range(count)]
        return [Period(day, day, self.zone) for day in days]

    def offsets(self) -> list[tuple[int, int]]:
        """Return the zone's offsets in milliseconds, each with the time from which it holds, in order."""
        found = [(self.starts_at, _offset(self.starts_at, self.zone))]
        for begins in range(self.starts_at, self.ends_at, _DAY_MS):
            ends = min(begins + _DAY_MS, self.ends_at)
            if _offset(ends, self.zone) == found[-1][1]:
                continue
            # Clocks change at whole quarters of an hour. Only the days of a change are looked through: a
            # year of quarters takes as long as fifty requests.
            for at in range(begins, ends + 1, _HOUR_MS // 4):
                offset = _offset(at, self.zone)
                if at < self.ends_at and found[-1][1] != offset:
                    found.append((at, offset))
        return found


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).utcoffset()
    assert offset is not None, "the time has a zone"
    return round(offset.total_seconds() * 1000)
