"""The sweep that every worker runs: it finds payments whose messages were lost.

Each step is a compare-and-set, so any number of workers sweep at once.
"""

import asyncio
import random
from typing import Final

import structlog

from shared.broker.interfaces import MessagePublisher
from shared.broker.reply_publisher import ReplyPublisher, publish_queued
from shared.runtime.resilience import failures_logged, one_of_many
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import queue

_log = structlog.get_logger()

#: Payments a step: a long outage must not become one long statement.
STEP: Final = 100


class Sweep:
    """Expires payments, and publishes those again that wait for a free terminal."""

    def __init__(
        self,
        *,
        database: Database,
        publisher: MessagePublisher,
        reply_publisher: ReplyPublisher,
        settings: Settings,
        rng: random.Random,
    ) -> None:
        self._database: Final = database
        self._publisher: Final = publisher
        self._reply_publisher: Final = reply_publisher
        self._settings: Final = settings
        self._rng: Final = rng

    async def run(self) -> None:
        """Sweep until cancelled, with jitter: workers that started together must not sweep together."""
        while True:
            await asyncio.sleep(self._settings.sweep_interval_seconds * self._rng.uniform(0.75, 1.25))
            with failures_logged("sweep interrupted"):
                await self.once()

    async def once(self) -> None:
        """Do each step for each payment; a failed payment is left to the next sweep.

        Raises DatabaseUnavailable: the next sweep does everything again.
        """
        with one_of_many("payments whose deadline passed not read"):
            await self._expire()
        with one_of_many("waiting payments not read"):
            await self._publish_overdue()

    async def _expire(self) -> None:
        for payment_id in await queue.deadlines_passed(self._database, most=STEP):
            with one_of_many("payment not expired", payment_id=payment_id):
                await self._reply_publisher.expire(payment_id)

    async def _publish_overdue(self) -> None:
        overdue = await queue.overdue(
            self._database, after_seconds=self._settings.republish_after_seconds, most=STEP
        )
        for found in overdue:
            with one_of_many("payment not published again", payment_id=found.payment_id):
                if await queue.mark_published(self._database, found):
                    await self._publish_again(found)

    async def _publish_again(self, found: queue.QueuedPayment) -> None:
        await publish_queued(self._publisher, found)
        _log.info("payment published again", payment_id=found.payment_id, count=found.publish_count + 1)
