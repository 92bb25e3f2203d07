"""A Saturday afternoon of 100,000 terminals in virtual time: how long payments wait, and for what.

Queues with the CPU times that were measured, without the code of the system: a payment takes turns of an API
process, of the database and of a worker process, and holds a session slot while its customer pays. Each
serves in the order of arrival. `python -m bench.saturday` prints the table of docs/operations/capacity.md.
"""

import heapq
import random
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bench.figures import percentile

#: CPU of one payment in milliseconds, by `make bench-quick` at 64 callers.
API_MS: Final = 2.4
WORKER_MS: Final = 3.2
DATABASE_MS: Final = 3.2
#: A customer with a card: half of them are done after 8 s, one in twenty needs more than 21 s.
SESSION_MEDIAN_SECONDS: Final = 8.0
SESSION_SIGMA: Final = 0.6
#: Time in which the rate rises from nothing to the peak.
RAMP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Afternoon:
    """The customers, and what is there to serve them."""

    terminals: int = 100_000
    #: Sales of a terminal in the busiest hour: a bakery's till has more, a furniture shop's fewer.
    sales_an_hour: float = 15.0
    peak_seconds: float = 300.0
    apis: int = 2
    workers: int = 3
    slots_each: int = 5_000
    database_cores: int = 3
    #: The database serves nobody from the middle of the peak on for so long, as in a failover.
    outage_seconds: float = 0.0
    #: So many workers end in the middle of the peak, and are not replaced.
    dead_workers: int = 0
    seed: int = 1

    @property
    def rate(self) -> float:
        """Payments a second at the peak."""
        return self.terminals * self.sales_an_hour / 3600

    @property
    def middle(self) -> float:
        return RAMP_SECONDS + self.peak_seconds / 2


@dataclass(slots=True)
class Resource:
    """Servers that are alike, and who waits for one."""

    servers: int
    busy: int = 0
    is_open: bool = True
    waiting: deque[int] = field(default_factory=deque)
    longest_queue: int = 0
    most_busy: int = 0

    def asks(self, payment: int) -> bool:
        """Take a server and return True, or wait."""
        if self.is_open and self.busy < self.servers:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
            return True
        self.waiting.append(payment)
        self.longest_queue = max(self.longest_queue, len(self.waiting))
        return False

    def admits(self) -> Iterator[int]:
        """Yield those who waited and have a server now."""
        while self.waiting and self.is_open and self.busy < self.servers:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
            yield self.waiting.popleft()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of one afternoon; times in seconds."""

    payments: int
    #: All waits and turns of a payment, its customer's time left out.
    added_p50: float
    added_p99: float
    added_longest: float
    most_sessions: int
    longest_worker_queue: int
    longest_database_queue: int
    #: From the end of the trouble until nobody waits longer than a second.
    recovery: float


class Simulation:
    """The events of one afternoon in the order of their times."""

    def __init__(self, afternoon: Afternoon) -> None:
        self._afternoon = afternoon
        self._rng = random.Random(afternoon.seed)
        self.api, self.worker = Resource(afternoon.apis), Resource(afternoon.workers)
        self.database = Resource(afternoon.database_cores)
        self.slots = Resource(afternoon.workers * afternoon.slots_each)
        #: A payment's way: accepted, claimed in a slot, its session, settled, answered. Seconds of each turn.
        turn = DATABASE_MS / 3 / 1000
        self._way: tuple[tuple[Resource, float], ...] = (
            (self.api, API_MS * 2 / 3 / 1000),
            (self.database, turn),
            (self.slots, 0.0),
            (self.database, turn),
            (self.worker, WORKER_MS * 2 / 3 / 1000),
            (self.slots, -1.0),
            (self.database, turn),
            (self.worker, WORKER_MS / 3 / 1000),
            (self.api, API_MS / 3 / 1000),
        )
        #: Time, payment (below 0: not one) and the part of its way that ends or begins.
        self._events: list[tuple[float, int, int]] = []
        self._began: list[float] = []
        self._session: list[float] = []
        self._place: list[int] = []
        self.added: list[tuple[float, float]] = []
        self._now = 0.0

    def run(self) -> Outcome:
        """Return the figures; the same seed gives the same."""
        self._schedule_arrivals()
        middle = self._afternoon.middle
        trouble = [(middle, -1, 0), (middle + self._afternoon.outage_seconds, -2, 0)]
        for event in trouble:
            heapq.heappush(self._events, event)
        while self._events:
            self._now, payment, is_end = heapq.heappop(self._events)
            if payment == -1:
                self._begin_trouble()
            elif payment == -2:
                self.database.is_open = True
                self._serve_waiting(self.database)
            elif is_end:
                self._ended(payment)
            else:
                self._asks(payment)
        return self._outcome()

    def _schedule_arrivals(self) -> None:
        """Customers come independently of each other; a session is known with its payment."""
        moment, rng = 0.0, self._rng
        while (moment := moment + rng.expovariate(self._afternoon.rate)) < (
            RAMP_SECONDS + self._afternoon.peak_seconds
        ):
            if moment < RAMP_SECONDS and rng.random() > moment / RAMP_SECONDS:
                continue
            self._events.append((moment, len(self._began), 0))
            self._began.append(moment)
            self._session.append(SESSION_MEDIAN_SECONDS * rng.lognormvariate(0, SESSION_SIGMA))
            self._place.append(0)

    def _begin_trouble(self) -> None:
        self.database.is_open = self._afternoon.outage_seconds == 0
        self.worker.servers -= self._afternoon.dead_workers
        self.slots.servers -= self._afternoon.dead_workers * self._afternoon.slots_each

    def _asks(self, payment: int) -> None:
        """Let a payment take the next turn of its way, or wait for it."""
        resource, seconds = self._way[self._place[payment]]
        if seconds < 0:
            # Its slot is held since the claim: the customer pays.
            heapq.heappush(self._events, (self._now + self._session[payment], payment, 1))
        elif resource.asks(payment):
            heapq.heappush(self._events, (self._now + seconds, payment, 1))

    def _ended(self, payment: int) -> None:
        """End a turn: whoever waits is next, and the payment goes on."""
        resource, seconds = self._way[self._place[payment]]
        if resource is not self.slots or seconds < 0:
            resource.busy -= 1
            self._serve_waiting(resource)
        self._place[payment] += 1
        if self._place[payment] < len(self._way):
            self._asks(payment)
        else:
            added = self._now - self._began[payment] - self._session[payment]
            self.added.append((self._began[payment], added))

    def _serve_waiting(self, resource: Resource) -> None:
        for payment in resource.admits():
            seconds = self._way[self._place[payment]][1]
            heapq.heappush(self._events, (self._now + seconds, payment, 1))

    def _outcome(self) -> Outcome:
        trouble_ends = self._afternoon.middle + self._afternoon.outage_seconds
        late = [began for began, added in self.added if added > 1]
        seconds = [added for _, added in self.added]
        return Outcome(
            payments=len(seconds),
            added_p50=percentile(seconds, 50),
            added_p99=percentile(seconds, 99),
            added_longest=max(seconds),
            most_sessions=self.slots.most_busy,
            longest_worker_queue=self.worker.longest_queue + self.slots.longest_queue,
            longest_database_queue=self.database.longest_queue,
            recovery=max(0.0, max(late, default=0.0) - trouble_ends),
        )


AFTERNOONS: Final = {
    "as planned": Afternoon(),
    "one worker of three ends": Afternoon(dead_workers=1),
    "the database fails over in 20 s": Afternoon(outage_seconds=20),
    "twice the customers": Afternoon(sales_an_hour=30),
    "twice the customers, twice the processes": Afternoon(
        sales_an_hour=30, apis=4, workers=6, database_cores=6
    ),
}


def table() -> Iterator[str]:
    """Yield the lines of the page's table."""
    yield (
        "| afternoon | payments a second | sessions at once | waiting for a worker | waiting for the database"
        " | added, p50 | added, p99 | until all is well |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, afternoon in AFTERNOONS.items():
        found = Simulation(afternoon).run()
        yield (
            f"| {name} | {afternoon.rate:,.0f} | {found.most_sessions:,} | {found.longest_worker_queue:,} |"
            f" {found.longest_database_queue:,} |"
            f" {found.added_p50 * 1000:,.0f} ms | {found.added_p99:,.2f} s | {found.recovery:,.0f} s |"
        )


if __name__ == "__main__":
    for line in table():
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
