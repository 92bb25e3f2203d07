"""Growth: statements of the storage in a small and in a large installation."""

from typing import Final

from bench.growth.compare import RUNS, compare
from bench.growth.data import Installation
from bench.results import Part, Row
from bench.size import WHOLE, Size
from bench.system import Servers

SMALL: Final = Installation(100, 2_000)
#: Statements that ran longer the more terminals or payments there were, and those of every payment.
SHOWN: Final = {
    "terminals.takeover._ORPHANS": "payments in session without a terminal lock, at each heartbeat",
    "terminals.takeover._HELD": "held terminal locks, at each heartbeat",
    "payments.queue._OVERDUE": "payments to publish again, every 2 s",
    "payments.queue._DEADLINES_PASSED": "payments whose deadline has passed, every 2 s",
    "payments.queue._FIRST_OF_MERCHANTS": "the terminal's next payment, at each release",
    "webhooks.delivery_sweep._DUE_TARGETS": "endpoints with due deliveries, every 2 s",
    "webhooks.feed._PLACE": "new events of a page of the feed",
}


async def measure(servers: Servers, size: Size) -> list[Row]:
    large = Installation(*size.growth)
    compared = {one.name: one for one in await compare(servers.postgres_url, SMALL, large)}
    growing = [one.name for one in compared.values() if one.grows]
    if growing:
        print(f"growing: {', '.join(growing)}")
    rows = [
        Row.of(f"statements that grow, of {len(compared)}", "", [len(growing)], aim="0"),
        Row.of(
            "each statement once",
            "ms",
            [sum(one.large.milliseconds for one in compared.values())],
            baseline=[sum(one.small.milliseconds for one in compared.values())],
        ),
    ]
    for name, title in SHOWN.items():
        small, found = compared[name].small, compared[name].large
        rows.append(Row.of(title, "ms", [found.milliseconds], baseline=[small.milliseconds]))
        rows.append(Row.of(f"{title}: pages", "", [found.pages], baseline=[small.pages]))
    return rows


PART: Final = Part(
    "Growth",
    f"Statements on PostgreSQL in an installation of {Installation(*WHOLE.growth)}, with as many open"
    f" payments, held locks and waiting deliveries as in one of {SMALL}, to which the ratio is. Times are"
    f" PostgreSQL's own, the least of {RUNS} runs; a page is 8 kB read or written. A statement grows if it"
    " reads a large table as a whole, or more than twice the pages and 300. See"
    " [growth](operations/growth.md).",
    measure,
)
