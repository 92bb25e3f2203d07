"""Payments a second at several numbers of callers, and the CPU of each payment."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from bench.clients import Ask, bare_asker, go_on, payers
from bench.measures.cpu import CpuMeter, server_roots
from bench.results import Part, Row
from bench.size import Size
from bench.system import Servers, running_system


@dataclass
class Turns:
    """Rates and CPU of the turns at one number of callers."""

    asked: list[float] = field(default_factory=list)
    paid: list[float] = field(default_factory=list)
    #: CPU milliseconds a payment, by process and turn.
    cpu_ms: list[dict[str, float]] = field(default_factory=list)


async def in_turns(
    bare: Ask, paying: list[Ask], roots: dict[str, int], *, turns: int, seconds: float
) -> Turns:
    """Let as many bare clients as payers ask, then the payers; the CPU is that of the payers' turns."""
    found = Turns()
    for _ in range(turns):
        found.asked.append((await go_on([bare] * len(paying), seconds)).rate)
        cpu = CpuMeter(roots)
        cpu.begin()
        turn = await go_on(paying, seconds)
        cpu.end()
        found.paid.append(turn.rate)
        found.cpu_ms.append(cpu.milliseconds_each(turn.answers))
    return found


def _rows(callers: int, turns: Turns) -> list[Row]:
    aim = "6.5 ms" if callers == 64 else ""
    cpu = [
        Row.of(
            f"CPU of a payment, {process}, {callers} callers",
            "ms",
            [turn[process] for turn in turns.cpu_ms],
            aim=aim if process == "all" else "",
        )
        for process in turns.cpu_ms[0]
    ]
    return [
        Row.of(f"bare, {callers} callers", "a second", turns.asked),
        Row.of(f"payments, {callers} callers", "a second", turns.paid, baseline=turns.asked),
        *cpu,
    ]


async def measure(servers: Servers, size: Size) -> list[Row]:
    rows = []
    terminals = max(size.concurrencies)
    settings = {"CLOUD_TERMINAL_SESSION_LIMIT": str(2 * terminals)}
    async with (
        running_system(servers, terminals=terminals, settings=settings) as system,
        AsyncExitStack() as stack,
    ):
        bare = await bare_asker(stack, servers.amqp_url, system)
        paying = await payers(stack, system, terminals)
        roots = {**system.pids, **server_roots(servers)}
        await go_on(paying, 0.1)
        for callers in size.concurrencies:
            turns = await in_turns(
                bare, paying[:callers], roots, turns=size.turns, seconds=size.slice_seconds
            )
            rows += _rows(callers, turns)
    return rows


PART: Final = Part(
    "Rate, and CPU of a payment",
    "Callers that send their next order when they have the answer, each to a terminal of its own; bare"
    " requests and payments take turns. CPU is user and system time by process, in the payments' turns; the"
    " clients and the terminals are not counted. A server in a container has no row.",
    measure,
)
