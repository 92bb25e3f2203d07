"""Messages after a commit."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from eventually import eventually
from in_memory.hand_clock import HandClock
from payments import ADDRESS, queued, with_merchant

from shared.broker import reply_publisher as reply_publisher_module
from shared.broker.messages import PaymentMessage
from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.metrics import Metrics
from shared.storage.db.engine import Database, Transaction


class Publisher:
    """A publisher that keeps the ids of published payments."""

    def __init__(self) -> None:
        self.payment_ids: list[str] = []

    async def publish_payment(self, message: PaymentMessage, **_: object) -> None:
        self.payment_ids.append(message.payment_id)

    async def reply(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody is replied to here")


async def test_an_order_sent_upon_the_reply_is_not_published_a_second_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stored while the freed terminal's next payment still waits for a connection to be read by."""
    clock, publisher = HandClock(), Publisher()
    reply_publisher = ReplyPublisher(database, publisher, Metrics("test"), clock)
    read = database.read

    async def waits_for_a_connection(work: Callable[[Transaction], Awaitable[object]]) -> object:
        clock.now += 600
        return await read(work)

    await with_merchant(database)
    waiting = await queued(database, order_id="waiting")
    await reply_publisher.publish_next(ADDRESS)
    assert publisher.payment_ids == [waiting]

    monkeypatch.setattr(database, "read", waits_for_a_connection)
    await reply_publisher.publish_next(ADDRESS)
    assert publisher.payment_ids == [waiting], "stored less than ten minutes ago"


async def test_terminals_that_are_freed_during_a_statement_go_together_into_the_next_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two statements for four terminals; a terminal that was freed twice has its payment published once."""
    publisher, reads = Publisher(), list[asyncio.Event]()
    monkeypatch.setattr(reply_publisher_module, "_PATIENCE_SECONDS", 60.0)
    reply_publisher = ReplyPublisher(database, publisher, Metrics("test"), HandClock())
    await with_merchant(database)
    hosts = [f"127.0.0.{number}" for number in range(21, 25)]
    waiting = [
        await queued(database, order_id=host, host=host, terminal_address=f"{host}:8888") for host in hosts
    ]
    read = database.read

    async def one_after_the_other(work: Callable[[Transaction], Awaitable[object]]) -> object:
        reads.append(asyncio.Event())
        await reads[-1].wait()
        return await read(work)

    monkeypatch.setattr(database, "read", one_after_the_other)
    async with asyncio.TaskGroup() as group:
        group.create_task(reply_publisher.publish_next(f"{hosts[0]}:8888"))
        await eventually(lambda: len(reads) == 1)
        for host in (*hosts[1:], hosts[1]):
            group.create_task(reply_publisher.publish_next(f"{host}:8888"))
        await asyncio.sleep(0)
        reads[0].set()
        await eventually(lambda: len(reads) == 2)
        reads[1].set()

    assert publisher.payment_ids == waiting


async def test_a_look_that_hangs_keeps_other_terminals_waiting_for_a_moment_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next statement begins beside it."""
    publisher, hangs = Publisher(), [asyncio.Event()]
    reply_publisher = ReplyPublisher(database, publisher, Metrics("test"), HandClock())
    await with_merchant(database)
    waiting = await queued(database)
    read = database.read

    async def the_first_one_hangs(work: Callable[[Transaction], Awaitable[object]]) -> object:
        if hangs:
            await hangs.pop().wait()
        return await read(work)

    monkeypatch.setattr(database, "read", the_first_one_hangs)
    first_wait = hangs[0]
    hanging = asyncio.create_task(reply_publisher.publish_next("127.0.0.21:8888"))
    await eventually(lambda: not hangs)
    await reply_publisher.publish_next(ADDRESS)
    assert publisher.payment_ids == [waiting]
    first_wait.set()
    await hanging
