"""Record of the responses about payments that merchants' clients were given.

No answer waits for it: the responses of a second are stored together by one transaction, again where its
commit is unknown: each has an id of its own and is stored once. A process that is killed loses those of its
last second, and an outage of the database those beyond `WAITING_AT_MOST`; the payments themselves are stored
before any answer.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

import structlog

from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_process_id
from shared.runtime.resilience import failures_logged
from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable
from shared.storage.investigation import responses
from shared.storage.investigation.responses import GivenResponse, Response

_log = structlog.get_logger()

STORE_SECONDS: Final = 1.0
#: Responses that wait to be stored: a minute of 300 a second.
WAITING_AT_MOST: Final = 20_000
#: Responses of one transaction.
BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: str
    payment_id: str
    response: Response
    given_at: float


class GivenResponses:
    """Responses of this process that are not stored yet."""

    def __init__(self, database: Database, clock: Clock, random_bytes: RandomBytes) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._process: Final = new_process_id(random_bytes)
        self._number = 0
        self._waiting: Final[deque[_Waiting]] = deque()
        self._lost = 0

    def add(self, payment_id: str, response: Response) -> None:
        """Keep a response until the next transaction; never blocks or raises."""
        if len(self._waiting) >= WAITING_AT_MOST:
            self._waiting.popleft()
            self._lost += 1
        self._number += 1
        # Sorted as they were given: two within a millisecond stay in their order.
        response_id = f"{self._process}{self._number:012d}"
        self._waiting.append(_Waiting(response_id, payment_id, response, self._clock.monotonic()))

    async def run(self) -> None:
        """Store periodically until cancelled."""
        while True:
            await asyncio.sleep(STORE_SECONDS)
            with failures_logged("given responses not stored"):
                await self.store()

    async def store(self) -> None:
        """Store what waits. Raises DatabaseUnavailable, CommitUnknown."""
        if self._lost:
            _log.warning("given responses lost", count=self._lost)
            self._lost = 0
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            now = self._clock.monotonic()
            try:
                await responses.store(self._database, [_given(one, now) for one in batch])
            except (DatabaseUnavailable, CommitUnknown, asyncio.CancelledError):
                self._waiting.extendleft(reversed(batch))
                raise


def _given(waiting: _Waiting, now: float) -> GivenResponse:
    response = waiting.response
    return GivenResponse(
        id=waiting.id,
        payment_id=waiting.payment_id,
        ms_ago=int((now - waiting.given_at) * 1000),
        status=response.status,
        code=response.code,
        request=response.request,
        credential=response.credential,
        client=response.client,
        request_id=response.request_id,
        client_left=response.client_left,
    )
