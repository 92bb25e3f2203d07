"""Overload: orders that cannot be served in time are refused at once, and nothing is stored.

Storing an order takes one of a few slots. Orders that go together share a connection, the others have a few,
so that connections are left for those whose payment is stored already. An order that would wait too long for
a slot, by the time that earlier ones took, is refused.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from shared.payment.order_guard import operation_key
from shared.payment.payment import Operation
from shared.runtime.clock import Clock
from shared.runtime.shared_reads import Batches
from shared.storage.db.engine import Database, DatabaseUnavailable
from shared.storage.payments.acceptance import Refused, safe_to_retry

#: Refused orders that one statement reads.
_BATCH: Final = 200
#: Share of the newest duration in the average.
_WEIGHT: Final = 0.1
#: Seconds that storing an order is assumed to take before any was stored.
_FIRST_GUESS_SECONDS: Final = 0.01
#: Share of the longest wait that an order may expect: a refusal that comes after a wait helps nobody.
_EXPECTED_SHARE: Final = 0.5


class NoSlot(Exception):
    """The order would wait too long to be stored."""


class AcceptSlots:
    """A few orders are stored at once, the others wait in turn while that is soon enough."""

    def __init__(self, slots: int, wait_seconds: float, clock: Clock) -> None:
        self._slots: Final = slots
        self._wait_seconds: Final = wait_seconds
        self._clock: Final = clock
        self._free: Final = asyncio.Semaphore(slots)
        #: The time limit of each waiting order, the newest last.
        self._waiting: Final[dict[asyncio.Timeout, None]] = {}
        self._usual_seconds = _FIRST_GUESS_SECONDS

    @property
    def expected_wait_seconds(self) -> float:
        """Seconds that one more order would wait for a slot."""
        if not self._free.locked():
            return 0.0
        return self._turn_seconds(len(self._waiting) + 1)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Occupy a slot while the block runs. Raises NoSlot, as soon as the wait is known to be too long."""
        if self.expected_wait_seconds > _EXPECTED_SHARE * self._wait_seconds:
            raise NoSlot
        await self._wait()
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._free.release()
            took = self._clock.monotonic() - began
            self._usual_seconds += _WEIGHT * (took - self._usual_seconds)
            self._refuse_newest()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds) as limit:
                self._waiting[limit] = None
                try:
                    await self._free.acquire()
                finally:
                    self._waiting.pop(limit, None)
        except TimeoutError:
            raise NoSlot from None

    def _refuse_newest(self) -> None:
        """End the wait of those that came last where storing takes longer than it did when they came."""
        while self._waiting and self._turn_seconds(len(self._waiting)) > _EXPECTED_SHARE * self._wait_seconds:
            limit, _ = self._waiting.popitem()
            limit.reschedule(asyncio.get_running_loop().time())

    def _turn_seconds(self, place: int) -> float:
        """Seconds until the order at this place of the queue has a slot."""
        return place * self._usual_seconds / self._slots


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOrder:
    """An order whose earlier attempts are looked for; `payment_id` is that of its new payment."""

    payment_id: str
    merchant_id: str
    order_id: str
    operation: Operation
    idempotency_key: str | None

    @property
    def order(self) -> tuple[str, str]:
        return self.merchant_id, self.order_id


@dataclass(slots=True)
class _Undecided:
    """Requests of one order that came while it was not decided if one of them is stored."""

    open: int = 0
    #: Those that are decided meanwhile, too: one of them may have been stored since the database was read.
    seen: int = 0


class EarlierLooks:
    """A reader of earlier attempts of orders that are about to be refused."""

    def __init__(self, database: Database) -> None:
        self._looks: Final = Batches[Refused, bool](partial(_look, database), most=_BATCH)
        #: By merchant and order id.
        self._undecided: Final[dict[tuple[str, str], _Undecided]] = {}

    @contextmanager
    def undecided(self, asked: AskedOrder) -> Iterator[None]:
        """Count the request while the block decides if it is stored."""
        requests = self._undecided.setdefault(asked.order, _Undecided())
        requests.open += 1
        requests.seen += 1
        try:
            yield
        finally:
            requests.open -= 1
            if not requests.open:
                del self._undecided[asked.order]

    async def certainly_none(self, asked: AskedOrder) -> bool:
        """Return True where certainly no attempt of the order blocks new ones; False where that is not known.

        It is not known of reversals and credits, which are named by their debit, of an Idempotency-Key, and
        where this process has another request of the order, which it may still store. Called in `undecided`.
        """
        if asked.operation is not Operation.DEBIT or asked.idempotency_key is not None:
            return False
        key = operation_key(
            asked.operation, asked.order_id, debit_id=None, amount_cents=0, idempotency_key=None
        )
        try:
            certain = await self._looks.get(Refused(asked.payment_id, asked.merchant_id, key)) is True
        except DatabaseUnavailable:
            return False
        return certain and self.is_alone(asked)

    def is_alone(self, asked: AskedOrder) -> bool:
        """Return True where this process had no other request of the order since this one came."""
        return self._undecided[asked.order].seen == 1


async def _look(database: Database, refused: Sequence[Refused]) -> dict[Refused, bool]:
    certain = await safe_to_retry(database, refused)
    return {one: one.id in certain for one in refused}
