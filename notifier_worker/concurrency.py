"""The limit of concurrent deliveries for each target, so that a slow one does not block the others. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class TargetSlots:
    """One target's slots."""

    in_use: int = 0
    #: The database may hold further deliveries; it is read when a slot is free.
    has_backlog: bool = False
    #: Failures in a row, as far as this worker knows.
    failures: int = 0


#: One of several targets gets at most a quarter of the free slots, so that many slow ones together leave some
#: for the next; a target without a slot gets one while there is one.
FREE_PARTS: Final = 4


class ConcurrencyLimiter:
    """Slots for deliveries, limited in all and for each target; one slot for a target that keeps failing."""

    def __init__(self, *, limit: int, limit_of_target: int, breaker_failures: int) -> None:
        self._limit: Final = limit
        self._limit_of_target: Final = limit_of_target
        self._breaker_failures: Final = breaker_failures
        self._targets: Final[dict[str, TargetSlots]] = {}
        self.in_use = 0

    def acquire(self, target: str) -> bool:
        """Take a slot and return True; without a free one note the target's backlog and return False."""
        slots = self._targets.setdefault(target, TargetSlots())
        if self._free(slots) == 0:
            slots.has_backlog = True
            return False
        slots.in_use += 1
        self.in_use += 1
        return True

    def release(self, target: str) -> None:
        """Free a slot; a target without slots, backlog and failures is removed."""
        slots = self._targets[target]
        slots.in_use -= 1
        self.in_use -= 1
        # A target that keeps failing is kept: it still gets a single slot after its pause.
        if slots.in_use == 0 and not slots.has_backlog and slots.failures < self._breaker_failures:
            del self._targets[target]

    def acquire_for_backlog(self) -> list[tuple[str, int]]:
        """Take the free slots of targets with a backlog; return each target with the number of its slots.

        The backlogs count as read: call `note_backlog` for one that is longer than its slots. The next call
        begins with the targets that got none.
        """
        acquired: list[tuple[str, int]] = []
        for target, slots in list(self._targets.items()):
            free = self._free(slots) if slots.has_backlog else 0
            if free == 0:
                continue
            slots.in_use += free
            self.in_use += free
            slots.has_backlog = False
            acquired.append((target, free))
            # To the end of the order: where slots are few, the next free ones go to other targets.
            self._targets[target] = self._targets.pop(target)
        return acquired

    def note_backlog(self, target: str) -> None:
        """Note that the database may hold further deliveries for the target."""
        self._targets[target].has_backlog = True

    def record_failure(self, target: str) -> None:
        self._targets[target].failures += 1

    def record_success(self, target: str) -> None:
        self._targets[target].failures = 0

    def set_failures(self, target: str, failures: int) -> None:
        """Set a target's failures in a row to the number in the database."""
        self._targets[target].failures = failures

    def _free(self, slots: TargetSlots) -> int:
        """Return how many more slots this target may take now."""
        free = self._limit - self.in_use
        limit = 1 if slots.failures >= self._breaker_failures else self._limit_of_target
        if self._limit_of_target < self._limit:
            limit = min(limit, max(free // FREE_PARTS, int(slots.in_use == 0)))
        return max(0, min(limit - slots.in_use, free))
