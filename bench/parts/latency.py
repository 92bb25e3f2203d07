"""Latency at one caller: a payment and a bare request and reply, in turns."""

from contextlib import AsyncExitStack
from typing import Final

from bench.clients import Ask, bare_asker, payers, timed
from bench.results import Part, Row
from bench.size import Size
from bench.system import Servers, running_system

TERMINALS: Final = 16


async def one_by_one(
    bare: Ask, paying: list[Ask], *, rounds: int, warm_up: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of bare requests and of payments, one of each in turns."""
    asked, paid = [], []
    for number in range(warm_up + rounds):
        times = await timed(bare), await timed(paying[number % len(paying)])
        if number >= warm_up:
            asked.append(times[0])
            paid.append(times[1])
    return asked, paid


async def measure(servers: Servers, size: Size) -> list[Row]:
    terminals = min(TERMINALS, size.latency_rounds)
    async with running_system(servers, terminals=terminals) as system, AsyncExitStack() as stack:
        bare = await bare_asker(stack, servers.amqp_url, system)
        paying = await payers(stack, system, terminals)
        asked, paid = await one_by_one(bare, paying, rounds=size.latency_rounds, warm_up=2 * terminals)
    asked, paid = ([seconds * 1000 for seconds in times] for times in (asked, paid))
    return [
        Row.of("bare request and reply", "ms", asked),
        Row.of("payment", "ms", paid, baseline=asked, aim="ratio 3.5"),
    ]


PART: Final = Part(
    "Latency at one caller",
    "One payment, HTTP to HTTP, and one bare request and reply over a durable quorum queue with confirms, in"
    " turns. The terminals answer at once. The ratio is to the bare request of the same turn.",
    measure,
)
