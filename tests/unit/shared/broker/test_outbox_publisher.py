"""Wake-ups for committed deliveries are published, whatever goes wrong with one of them."""

import asyncio

from eventually import eventually

from shared.broker.messages import NotificationMessage
from shared.broker.outbox_publisher import OutboxPublisher
from shared.storage.db.engine import WakeUp


class Publisher:
    """A publisher that fails for the delivery `bad` only."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def publish_notification(self, message: NotificationMessage) -> None:
        if message.delivery_id == "bad":
            raise RuntimeError
        self.sent.append(message.delivery_id)


async def test_an_error_leaves_one_delivery_to_the_sweep_and_ends_nothing() -> None:
    """An error at the failpoint before does neither: the queued wake-ups go with the next."""
    publisher, failures = Publisher(), [RuntimeError()]

    async def fails_once(_: str) -> None:
        if failures:
            raise failures.pop()

    outbox_publisher = OutboxPublisher(publisher, fails_once)
    running = asyncio.create_task(outbox_publisher.run())
    try:
        outbox_publisher.wake([WakeUp("merchant", "first", "whe_1")])
        await eventually(lambda: not failures)
        outbox_publisher.wake([WakeUp("merchant", name, "whe_1") for name in ("bad", "second")])
        await eventually(lambda: publisher.sent == ["first", "second"])
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
