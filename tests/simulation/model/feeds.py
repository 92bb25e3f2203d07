"""Merchant's server that reads the feed of events, always on from its last position."""

import asyncio

from shared.broker.errors import BrokerFailure
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable
from shared.storage.webhooks import feed
from shared.storage.webhooks.feed import FeedEvent
from tests.simulation.database.thin import is_refused
from tests.simulation.engine.surroundings import Surroundings
from tests.simulation.model.processes.apis import Api

_PAUSE_SECONDS = 15.0
_PAGE = 4


class FeedReader:
    """Reader of one merchant's feed; it keeps the events that it got."""

    def __init__(self, around: Surroundings, apis: list[Api], merchant_id: str) -> None:
        self._around = around
        self._apis = apis
        self.merchant_id = merchant_id
        self.shown: list[FeedEvent] = []
        self._after = 0

    async def run(self) -> None:
        rng = self._around.stage.rng
        while True:
            await asyncio.sleep(rng.uniform(0.5, 1.5) * _PAUSE_SECONDS)
            alive = [api for api in self._apis if not api.process.is_dead and not api.process.is_paused]
            if alive:
                await self._read(rng.choice(alive))

    async def _read(self, api: Api) -> None:
        task = api.process.spawn(feed.read(api.database, self.merchant_id, after=self._after, limit=_PAGE))
        # The process may die under it.
        await asyncio.wait([task], timeout=20)
        if not task.done():
            return
        error = None if task.cancelled() else task.exception()
        if isinstance(error, DatabaseUnavailable | CommitUnknown | BrokerFailure) or is_refused(error):
            return
        if error is not None:
            self._around.unexpected("feed", error)
            return
        page = task.result()
        self.shown += page.events
        self._after = page.next
