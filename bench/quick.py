"""Benchmark `make bench-quick`: a payment, HTTP to HTTP, against a bare request and reply in the same run.

Latency: one after the other, in turns; the ratio of the medians. Throughput: 64 at once, in turns of a few
seconds; the ratio of the sums. Both ratios are independent of the machine's speed.
"""

import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop

from bench.bare import BareClient
from bench.http_client import HttpClient
from bench.system import BenchSystem, running_system

WARM_UP: Final = 40
LATENCY_ROUNDS: Final = 400
CONCURRENCY: Final = 64
SLICES: Final = 3
SLICE_SECONDS: Final = 4.0

_orders = itertools.count()


def order(host: str) -> bytes:
    """Return an order with a basket of two, a customer and one contract."""
    number = next(_orders)
    return json.dumps(
        {
            "order": {
                "order_id": f"BENCH_{os.getpid()}_{number}",
                "price": {"amount": 899, "currency": "EUR"},
                "basket": [
                    {
                        "product_reference": f"ART-{article}",
                        "name": "Article",
                        "type": "good",
                        "quantity": 1,
                        "unit_price": 4.495,
                        "tax_rate": 20,
                        "total_amount": 4.495,
                    }
                    for article in (1, 2)
                ],
            },
            "customer": {"customer_id": "C-1", "email": "customer@example.org"},
            "pos_technical_info": {
                "host_information": {"host": host, "port": 8888},
                "terminal_transaction_display": {
                    "protocol": "ConcertV3.2",
                    "contract_array": [
                        {"merchant_contract": "1234567", "rank": "001", "payment_application": "001"}
                    ],
                },
            },
        }
    ).encode()


async def _pay(client: HttpClient, host: str) -> None:
    status, body = await client.post(order(host))
    if status != 200 or b'"paymentStatus":"Success"' not in body:
        raise SystemExit(f"a payment was answered {status}: {body.decode()}")


async def _latencies(system: BenchSystem, bare: BareClient) -> tuple[list[float], list[float]]:
    client = await HttpClient.connect(system.api_port, system.username, system.secret)
    asked, paid = [], []
    body = order(system.hosts[0])
    for number in range(WARM_UP + LATENCY_ROUNDS):
        begun = time.perf_counter()
        await bare.ask(number, body)
        between = time.perf_counter()
        await _pay(client, system.hosts[number % len(system.hosts)])
        if number >= WARM_UP:
            asked.append(between - begun)
            paid.append(time.perf_counter() - between)
    client.close()
    return asked, paid


async def _count(workers: list[Callable[[], Awaitable[None]]]) -> float:
    """Run each worker again and again for a slice of time; return the rounds a second of all together."""
    ends_at = time.perf_counter() + SLICE_SECONDS

    async def go_round(work: Callable[[], Awaitable[None]]) -> int:
        rounds = 0
        while time.perf_counter() < ends_at:
            await work()
            rounds += 1
        return rounds

    begun = time.perf_counter()
    counts = await asyncio.gather(*(go_round(work) for work in workers))
    return sum(counts) / (time.perf_counter() - begun)


async def _throughput(system: BenchSystem, bare: BareClient) -> tuple[list[float], list[float]]:
    clients = [
        await HttpClient.connect(system.api_port, system.username, system.secret) for _ in range(CONCURRENCY)
    ]
    numbers = itertools.count(1_000_000)
    body = order(system.hosts[0])

    async def ask() -> None:
        await bare.ask(next(numbers), body)

    def pay_with(client: HttpClient, host: str) -> Callable[[], Awaitable[None]]:
        return lambda: _pay(client, host)

    payers = [pay_with(client, host) for client, host in zip(clients, system.hosts, strict=True)]
    asked, paid = [], []
    for _ in range(SLICES):
        asked.append(await _count([ask] * CONCURRENCY))
        paid.append(await _count(payers))
    for client in clients:
        client.close()
    return asked, paid


def _milliseconds(times: list[float]) -> str:
    ordered = sorted(times)
    slow = ordered[len(ordered) * 95 // 100]
    return f"p50 {statistics.median(ordered) * 1000:.2f} ms, p95 {slow * 1000:.2f} ms"


async def measure() -> None:
    """Run the whole comparison and print it; the two ratios are the last two lines."""
    amqp_url, postgres_url = os.environ["TEST_AMQP_URL"], os.environ["TEST_POSTGRES_URL"]
    async with running_system(amqp_url, postgres_url, terminals=CONCURRENCY) as system:
        bare = await BareClient.connect(amqp_url, system.bare_queue)
        asked, paid = await _latencies(system, bare)
        print(f"bare request and reply   {_milliseconds(asked)}")
        print(f"payment, HTTP to HTTP    {_milliseconds(paid)}")
        asked_rates, paid_rates = await _throughput(system, bare)
        print(f"bare, {CONCURRENCY} at once         {statistics.mean(asked_rates):.0f} a second")
        print(f"payments, {CONCURRENCY} at once     {statistics.mean(paid_rates):.0f} a second")
        await bare.close()
    times = statistics.median(paid) / statistics.median(asked)
    print(f"latency: a payment takes {times:.2f} times a bare request and reply")
    rate = sum(paid_rates) / sum(asked_rates)
    print(f"throughput: {rate:.3f} payments for each bare request and reply")


if __name__ == "__main__":
    uvloop.run(measure())
