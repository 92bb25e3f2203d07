"""Benchmark `make bench-quick`: a payment, HTTP to HTTP, against a bare request and reply in the same run.

Latency: one after the other, in turns; the ratio of the medians. Throughput: 64 at once, in turns of a few
seconds; the ratio of the sums. CPU a payment: what the processes spent in the turns of the payments.
"""

import statistics
from contextlib import AsyncExitStack
from typing import Final

import uvloop

from bench.clients import bare_asker, payers
from bench.figures import percentile
from bench.measures.cpu import server_roots
from bench.parts.latency import one_by_one
from bench.parts.rate import in_turns
from bench.system import Servers, running_system

WARM_UP: Final = 64
LATENCY_ROUNDS: Final = 400
CONCURRENCY: Final = 64
SLICES: Final = 3
SLICE_SECONDS: Final = 4.0


def cpu_text(turns: list[dict[str, float]]) -> str:
    """Return the CPU milliseconds of a payment, in all and by process: the medians of the turns."""
    medians = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
    parts = [f"{name} {value:.2f}" for name, value in medians.items() if name != "all"]
    return f"{medians['all']:.2f} ms ({', '.join(parts)})"


def _milliseconds(times: list[float]) -> str:
    return f"p50 {statistics.median(times) * 1000:.2f} ms, p95 {percentile(times, 95) * 1000:.2f} ms"


async def measure(servers: Servers) -> None:
    """Run the whole comparison and print it; the two ratios are the last two lines."""
    async with running_system(servers, terminals=CONCURRENCY) as system, AsyncExitStack() as stack:
        bare = await bare_asker(stack, servers.amqp_url, system)
        paying = await payers(stack, system, CONCURRENCY)
        asked, paid = await one_by_one(bare, paying, rounds=LATENCY_ROUNDS, warm_up=WARM_UP)
        print(f"bare request and reply   {_milliseconds(asked)}")
        print(f"payment, HTTP to HTTP    {_milliseconds(paid)}")
        roots = {**system.pids, **server_roots(servers)}
        turns = await in_turns(bare, paying, roots, turns=SLICES, seconds=SLICE_SECONDS)
    print(f"bare, {CONCURRENCY} at once         {statistics.mean(turns.asked):.0f} a second")
    print(f"payments, {CONCURRENCY} at once     {statistics.mean(turns.paid):.0f} a second")
    print(f"CPU of a payment, {CONCURRENCY} at once: {cpu_text(turns.cpu_ms)}")
    times = statistics.median(paid) / statistics.median(asked)
    print(f"latency: a payment takes {times:.2f} times a bare request and reply")
    rate = sum(turns.paid) / sum(turns.asked)
    print(f"throughput: {rate:.3f} payments for each bare request and reply")


if __name__ == "__main__":
    uvloop.run(measure(Servers.given()))
