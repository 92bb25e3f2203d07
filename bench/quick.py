"""Benchmark `make bench-quick`: a payment, HTTP to HTTP, against a bare request and reply in the same run.

Latency: one after the other, in turns; the ratio of the medians. Throughput: 64 at once, in turns of a few
seconds; the ratio of the sums. CPU a payment: what the processes spent in the turns of the payments.
"""

import os
import statistics
from contextlib import AsyncExitStack
from typing import Final

import uvloop

from bench.clients import Ask, bare_asker, go_on, payers, timed
from bench.cpu import CpuMeter, server_roots
from bench.figures import percentile
from bench.system import BenchSystem, running_system

WARM_UP: Final = 40
LATENCY_ROUNDS: Final = 400
CONCURRENCY: Final = 64
SLICES: Final = 3
SLICE_SECONDS: Final = 4.0


async def _latencies(bare: Ask, paying: list[Ask]) -> tuple[list[float], list[float]]:
    asked, paid = [], []
    for number in range(WARM_UP + LATENCY_ROUNDS):
        times = await timed(bare), await timed(paying[number % len(paying)])
        if number >= WARM_UP:
            asked.append(times[0])
            paid.append(times[1])
    return asked, paid


async def _throughput(bare: Ask, paying: list[Ask], cpu: CpuMeter) -> tuple[list[float], list[float], int]:
    """Return both rates of each turn and the number of payments; `cpu` runs in the payments' turns."""
    asked, paid, payments = [], [], 0
    for _ in range(SLICES):
        asked.append((await go_on([bare] * CONCURRENCY, SLICE_SECONDS)).rate)
        cpu.begin()
        turn = await go_on(paying, SLICE_SECONDS)
        cpu.end()
        paid.append(turn.rate)
        payments += turn.answers
    return asked, paid, payments


def cpu_text(milliseconds: dict[str, float]) -> str:
    """Return the CPU milliseconds by process on one line."""
    parts = [f"{name} {value:.2f}" for name, value in milliseconds.items() if name != "all"]
    return f"{milliseconds['all']:.2f} ms ({', '.join(parts)})"


def _milliseconds(times: list[float]) -> str:
    return f"p50 {statistics.median(times) * 1000:.2f} ms, p95 {percentile(times, 95) * 1000:.2f} ms"


async def _compare(system: BenchSystem, amqp_url: str, postgres_url: str) -> None:
    cpu = CpuMeter({**system.pids, **server_roots(amqp_url, postgres_url)})
    async with AsyncExitStack() as stack:
        bare = await bare_asker(stack, amqp_url, system)
        paying = await payers(stack, system, CONCURRENCY)
        asked, paid = await _latencies(bare, paying)
        print(f"bare request and reply   {_milliseconds(asked)}")
        print(f"payment, HTTP to HTTP    {_milliseconds(paid)}")
        asked_rates, paid_rates, payments = await _throughput(bare, paying, cpu)
    print(f"bare, {CONCURRENCY} at once         {statistics.mean(asked_rates):.0f} a second")
    print(f"payments, {CONCURRENCY} at once     {statistics.mean(paid_rates):.0f} a second")
    print(f"CPU of a payment, {CONCURRENCY} at once: {cpu_text(cpu.milliseconds_each(payments))}")
    times = statistics.median(paid) / statistics.median(asked)
    print(f"latency: a payment takes {times:.2f} times a bare request and reply")
    rate = sum(paid_rates) / sum(asked_rates)
    print(f"throughput: {rate:.3f} payments for each bare request and reply")


async def measure() -> None:
    """Run the whole comparison and print it; the two ratios are the last two lines."""
    amqp_url, postgres_url = os.environ["TEST_AMQP_URL"], os.environ["TEST_POSTGRES_URL"]
    async with running_system(amqp_url, postgres_url, terminals=CONCURRENCY) as system:
        await _compare(system, amqp_url, postgres_url)


if __name__ == "__main__":
    uvloop.run(measure())
