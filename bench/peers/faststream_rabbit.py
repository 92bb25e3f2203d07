"""FastStream over RabbitMQ: `python -m bench.peers.faststream_rabbit (answer|ask) AMQP_URL QUEUE`.

A durable quorum queue, persistent messages and publisher confirms, as in a bare request. Replies come by
`reply_to` to a queue of the asking process: `broker.request` would let only one request wait at a time.
"""

import asyncio
import itertools
import json
import statistics
import sys
import time
from typing import Final

import uvloop
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

PREFETCH: Final = 200


def quorum_queue(name: str) -> RabbitQueue:
    return RabbitQueue(name, durable=True, queue_type=QueueType.QUORUM)


def broker_of(amqp_url: str) -> RabbitBroker:
    return RabbitBroker(amqp_url, logger=None, default_channel=Channel(prefetch_count=PREFETCH))


async def answer(amqp_url: str, queue: str) -> None:
    broker = broker_of(amqp_url)

    @broker.subscriber(quorum_queue(queue))
    async def echo(body: str) -> str:
        return body

    await broker.start()
    await asyncio.Event().wait()


async def ask(amqp_url: str, queue: str) -> None:
    """Serve slices of callers until the input ends; then delete the queue."""
    broker, replies, body = broker_of(amqp_url), f"{queue}.replies", "x" * 700
    waiting: dict[str, asyncio.Future[None]] = {}
    numbers = itertools.count()

    @broker.subscriber(RabbitQueue(replies, exclusive=True, auto_delete=True))
    async def came(_: str, message: RabbitMessage) -> None:
        waiting.pop(message.correlation_id).set_result(None)

    async def ask_once() -> float:
        begun, name = time.perf_counter(), str(next(numbers))
        waiting[name] = asyncio.get_running_loop().create_future()
        answered = waiting[name]
        await broker.publish(body, queue, reply_to=replies, correlation_id=name, persist=True)
        await answered
        return time.perf_counter() - begun

    async def go_round(seconds: float, times: list[float]) -> None:
        begun = time.perf_counter()
        times.append(await ask_once())
        while time.perf_counter() - begun < seconds:
            times.append(await ask_once())

    await broker.start()
    declared = await broker.declare_queue(quorum_queue(queue))
    while line := await asyncio.to_thread(sys.stdin.readline):
        callers, seconds = int(line.split()[0]), float(line.split()[1])
        times: list[float] = []
        begun = time.perf_counter()
        await asyncio.gather(*(go_round(seconds, times) for _ in range(callers)))
        took = time.perf_counter() - begun
        found = {"answers": len(times), "seconds": took, "p50_ms": statistics.median(times) * 1000}
        print(json.dumps(found), flush=True)
    await declared.delete(if_unused=False, if_empty=False)
    await broker.stop()


if __name__ == "__main__":
    uvloop.run({"answer": answer, "ask": ask}[sys.argv[1]](*sys.argv[2:]))
