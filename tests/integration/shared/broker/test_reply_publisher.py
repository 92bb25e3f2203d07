"""Messages after a commit."""

from collections.abc import Awaitable, Callable

import pytest
from in_memory.hand_clock import HandClock
from payments import ADDRESS, queued, with_merchant

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
