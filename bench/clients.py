"""Clients of the measured system: orders, payments, and rates of many clients that wait for their answers."""

import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.bare import BareClient
from bench.http_client import HttpClient
from bench.system import BenchSystem

_numbers = itertools.count()

#: One request and its answer.
Ask = Callable[[], Awaitable[None]]


def order(host: str) -> bytes:
    """Return an order with a basket of two, a customer and one contract."""
    number = next(_numbers)
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


async def pay(client: HttpClient, host: str) -> None:
    """Pay one order; raise SystemExit unless it was paid."""
    status, body = await client.post(order(host))
    if status != 200 or b'"paymentStatus":"Success"' not in body:
        raise SystemExit(f"a payment was answered {status}: {body.decode()}")


async def payers(stack: AsyncExitStack, system: BenchSystem, number: int) -> list[Ask]:
    """Return clients with a connection and a terminal each; `stack` closes the connections."""

    async def payer(host: str) -> Ask:
        client = await HttpClient.connect(system.api_port, system.username, system.secret)
        stack.callback(client.close)
        return lambda: pay(client, host)

    return [await payer(host) for host in system.hosts[:number]]


async def bare_asker(stack: AsyncExitStack, amqp_url: str, system: BenchSystem) -> Ask:
    """Return a client of bare requests and replies; `stack` closes it."""
    client = await BareClient.connect(amqp_url, system.bare_queue)
    stack.push_async_callback(client.close)
    numbers, body = itertools.count(), order(system.hosts[0])

    async def ask() -> None:
        await client.ask(next(numbers), body)

    return ask


async def timed(ask: Ask) -> float:
    """Return the seconds of one request."""
    begun = time.perf_counter()
    await ask()
    return time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Slice:
    """Answers within a slice of time, until the last client had its own."""

    answers: int
    seconds: float
    p50_ms: float

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


async def go_on(clients: Sequence[Ask], seconds: float) -> Slice:
    """Let each client ask again and again for a slice of time, one request at a time, at least once."""
    begun, times = time.perf_counter(), list[float]()

    async def go_round(ask: Ask) -> None:
        times.append(await timed(ask))
        while time.perf_counter() - begun < seconds:
            times.append(await timed(ask))

    await asyncio.gather(*(go_round(ask) for ask in clients))
    return Slice(len(times), time.perf_counter() - begun, statistics.median(times) * 1000)
