"""Frameworks in the same run: bare aio-pika, Celery with threads, FastStream, and payments."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from bench.clients import Slice, bare_asker, go_on, payers
from bench.peers.process import peer
from bench.results import Part, Row
from bench.size import Size
from bench.system import Servers, running_system

CALLERS: Final = 64
#: The frameworks that store nothing, by the module that runs each.
FRAMEWORKS: Final = {
    "Celery with threads": "bench.peers.celery_threads",
    "FastStream": "bench.peers.faststream_rabbit",
}
PAYMENTS: Final = "payments"

GoOn = Callable[[int, float], Awaitable[Slice]]


async def measure(servers: Servers, size: Size) -> list[Row]:
    callers = min(CALLERS, max(size.concurrencies))
    async with running_system(servers, terminals=callers) as system, AsyncExitStack() as stack:
        bare = await bare_asker(stack, servers.amqp_url, system)
        paying = await payers(stack, system, callers)
        runners: dict[str, GoOn] = {"bare aio-pika": lambda number, seconds: go_on([bare] * number, seconds)}
        for name, module in FRAMEWORKS.items():
            queue = f"{system.bare_queue}.{module.rpartition('.')[2]}"
            running = await stack.enter_async_context(peer(module, servers.amqp_url, queue))
            runners[name] = running.go_on
        runners[PAYMENTS] = lambda number, seconds: go_on(paying[:number], seconds)
        for go in runners.values():
            await go(callers, size.slice_seconds / 3)
        alone: dict[str, list[Slice]] = {name: [] for name in runners}
        together: dict[str, list[Slice]] = {name: [] for name in runners}
        for _ in range(size.turns):
            for name, go in runners.items():
                alone[name].append(await go(1, size.slice_seconds / 2))
                together[name].append(await go(callers, size.slice_seconds))
    paid, paid_ms = together[PAYMENTS], alone[PAYMENTS]
    best = [max(together[name][turn].rate for name in FRAMEWORKS) for turn in range(size.turns)]
    rows = []
    for name in runners:
        rates, times = [turn.rate for turn in together[name]], [turn.p50_ms for turn in alone[name]]
        against = None if name == PAYMENTS else [turn.rate for turn in paid]
        rows.append(Row.of(f"{name}, {callers} callers", "a second", rates, baseline=against))
        against = None if name == PAYMENTS else [turn.p50_ms for turn in paid_ms]
        rows.append(Row.of(f"{name}, one caller, p50", "ms", times, baseline=against))
    rates = [turn.rate for turn in paid]
    rows.append(
        Row.of("payments against the best framework", "a second", rates, baseline=best, aim="ratio 0.8")
    )
    return rows


PART: Final = Part(
    "Frameworks",
    "A request and its reply by frameworks that store nothing and drive no terminal, on the same server in"
    " the same run, in turns; all on durable quorum queues with persistent messages and confirms. The ratio"
    " is to the payments, in the last row to the better framework of each turn.",
    measure,
)
