"""When the next scheduled collection is due. Pure."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta


@dataclass(frozen=True, slots=True)
class Schedule:
    """Once a day at a local time, or every so many seconds; both where both are given."""

    at: time | None = None
    every_seconds: float | None = None

    @property
    def is_set(self) -> bool:
        return self.at is not None or self.every_seconds is not None

    def seconds_to_next(self, now: datetime) -> float:
        """Return how long it is from `now` to the next collection. Raises ValueError where none is set."""
        waits = []
        if self.at is not None:
            due = datetime.combine(now.date(), self.at, tzinfo=now.tzinfo)
            if due <= now:
                due += timedelta(days=1)
            waits.append((due - now).total_seconds())
        if self.every_seconds is not None:
            waits.append(self.every_seconds)
        return min(waits)
