"""PostgreSQL and SQLite: the same clients on two systems, in turns."""

from contextlib import AsyncExitStack
from typing import Final

from bench.clients import Ask, Slice, go_on, payers
from bench.results import Part, Row
from bench.size import Size
from bench.system import Servers, running_system

CALLERS: Final = 16


async def measure(servers: Servers, size: Size) -> list[Row]:
    callers = min(CALLERS, max(size.concurrencies))
    async with AsyncExitStack() as stack:
        clients: dict[str, list[Ask]] = {}
        for name, on_sqlite in (("PostgreSQL", False), ("SQLite", True)):
            running = running_system(servers, terminals=callers, on_sqlite=on_sqlite)
            system = await stack.enter_async_context(running)
            clients[name] = await payers(stack, system, callers)
            await go_on(clients[name], 0.1)
        alone: dict[str, list[Slice]] = {name: [] for name in clients}
        together: dict[str, list[Slice]] = {name: [] for name in clients}
        for _ in range(size.turns):
            for name, paying in clients.items():
                alone[name].append(await go_on(paying[:1], size.slice_seconds))
                together[name].append(await go_on(paying, size.slice_seconds))
    rows = []
    for name in clients:
        is_baseline = name == "PostgreSQL"
        base = None if is_baseline else [turn.p50_ms for turn in alone["PostgreSQL"]]
        rows.append(
            Row.of(f"{name}, one caller, p50", "ms", [turn.p50_ms for turn in alone[name]], baseline=base)
        )
        base = None if is_baseline else [turn.rate for turn in together["PostgreSQL"]]
        rates = [turn.rate for turn in together[name]]
        rows.append(Row.of(f"{name}, {callers} callers", "a second", rates, baseline=base))
    return rows


PART: Final = Part(
    "PostgreSQL and SQLite",
    "The same callers on two systems, one on each database, in turns. The ratio is to PostgreSQL.",
    measure,
)
