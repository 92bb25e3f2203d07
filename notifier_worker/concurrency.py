"""How many deliveries are under way for each target: a slow one takes no other's places. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class TargetSlots:
    """One target's places."""

    in_use: int = 0
    #: There is more in the database than was handed over: look there when a place is free.
    has_backlog: bool = False
    #: Failures in a row, as far as this worker knows.
    failures: int = 0


#: Of several targets one has no more than this part of what is still free, so that many slow ones together
#: leave places for the next; a target without any gets one while there is one.
FREE_PARTS: Final = 4


class ConcurrencyLimiter:
    """Places for deliveries: so many in all, so many for a target, one for a target that keeps failing."""

    def __init__(self, *, most: int, most_of_target: int, breaker_failures: int) -> None:
        self._most: Final = most
        self._most_of_target: Final = most_of_target
        self._breaker_failures: Final = breaker_failures
        self._limiter: Final[dict[str, TargetSlots]] = {}
        self.in_use = 0

    def take(self, target: str) -> bool:
        """Take a place; without one, remember that the target has more waiting."""
        slots = self._limiter.setdefault(target, TargetSlots())
        if self._free(slots) == 0:
            slots.has_backlog = True
            return False
        slots.in_use += 1
        self.in_use += 1
        return True

    def give_back(self, target: str) -> None:
        slots = self._limiter[target]
        slots.in_use -= 1
        self.in_use -= 1
        self._forget_where_idle(target, slots)

    def take_backlog(self) -> list[tuple[str, int]]:
        """Take the free places of targets with a backlog, as target and number; the next call begins with
        the target that got none.

        Their backlogs count as read: one that is longer is `more`, and so is what comes meanwhile.
        """
        taken: list[tuple[str, int]] = []
        for target, slots in list(self._limiter.items()):
            if not slots.has_backlog:
                continue
            places = self._free(slots)
            if places == 0:
                continue
            slots.in_use += places
            self.in_use += places
            slots.has_backlog = False
            taken.append((target, places))
            # Behind the others: where places are few, the next free ones are somebody else's.
            self._limiter[target] = self._limiter.pop(target)
        return taken

    def more(self, target: str) -> None:
        """The database may have more than there were places for."""
        self._limiter[target].has_backlog = True

    def failed(self, target: str) -> None:
        self._limiter[target].failures += 1

    def works(self, target: str) -> None:
        self._limiter[target].failures = 0

    def learn_failures(self, target: str, failures: int) -> None:
        """Note what the database says of a target's failures in a row."""
        self._limiter[target].failures = failures

    def _free(self, slots: TargetSlots) -> int:
        """How many more places this target may take now."""
        free = self._most - self.in_use
        most = 1 if slots.failures >= self._breaker_failures else self._most_of_target
        if self._most_of_target < self._most:
            most = min(most, max(free // FREE_PARTS, int(slots.in_use == 0)))
        return max(0, min(most - slots.in_use, free))

    def _forget_where_idle(self, target: str, slots: TargetSlots) -> None:
        # Of one that keeps failing is known that it gets one place, after its pause, too.
        if slots.in_use == 0 and not slots.has_backlog and slots.failures < self._breaker_failures:
            del self._limiter[target]
