"""The sweep that every worker runs: whatever a lost message left behind is found here.

Each step is a compare-and-set, so any number of workers sweep at once.
"""

import asyncio
import random
from typing import Final

import structlog

from shared.announcing import Announcer
from shared.broker.failures import BrokerFailure
from shared.broker.interfaces import Publishes
from shared.broker.messages import PaymentMessage
from shared.metrics import OPEN_STATES, Metrics
from shared.settings.settings import Settings
from shared.storage import waiting
from shared.storage.engine import CommitUnknown, Database, DatabaseAway

_log = structlog.get_logger()

#: At most so many payments a step: a long outage must not become one long statement.
STEP: Final = 100


class Sweep:
    """Ends payments whose deadline passed, publishes again what waits on a free line, counts what is open."""

    def __init__(
        self,
        *,
        database: Database,
        publisher: Publishes,
        announcer: Announcer,
        metrics: Metrics,
        settings: Settings,
        rng: random.Random,
    ) -> None:
        self._database: Final = database
        self._publisher: Final = publisher
        self._announcer: Final = announcer
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._rng: Final = rng

    async def run(self) -> None:
        """Sweep until cancelled, with jitter: workers that started together must not ask together."""
        while True:
            await asyncio.sleep(self._settings.sweep_interval_seconds * self._rng.uniform(0.75, 1.25))
            try:
                await self.once()
            except (DatabaseAway, CommitUnknown) as error:
                _log.warning("sweep interrupted", error=str(error))

    async def once(self) -> None:
        """Raise DatabaseAway or CommitUnknown: the next sweep does it again."""
        for payment_id in await waiting.deadlines_passed(self._database, most=STEP):
            await self._announcer.expire(payment_id)
        overdue = await waiting.overdue(
            self._database, after_seconds=self._settings.republish_after_seconds, most=STEP
        )
        for found in overdue:
            if await waiting.mark_published(self._database, found):
                await self._publish_again(found)
        counts = await waiting.open_counts(self._database)
        for state in OPEN_STATES:
            self._metrics.open_payments(state, counts[state].number if state in counts else 0)

    async def _publish_again(self, found: waiting.Waiting) -> None:
        try:
            await self._publisher.publish_payment(PaymentMessage(found.payment_id, found.reply_to))
            _log.info("payment published again", payment_id=found.payment_id, count=found.publish_count + 1)
        except BrokerFailure as error:
            _log.warning("payment not published again", payment_id=found.payment_id, error=str(error))
