"""Overload: orders that cannot be served in time are refused at once, and nothing is stored.

Storing an order takes one of a few slots, so that connections are left for those whose payment is stored
already. An order that would wait too long for a slot, by the time that earlier ones took, is refused.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from shared.payment.order_guard import operation_key
from shared.payment.payment import Operation
from shared.runtime.clock import Clock
from shared.runtime.shared_reads import Batches
from shared.storage.db.engine import Database, DatabaseUnavailable
from shared.storage.payments.acceptance import Refused, safe_to_retry
from shared.storage.payments.new_payment import NewPayment

#: Refused orders that one statement reads.
_BATCH: Final = 200
#: Share of the newest duration in the average.
_WEIGHT: Final = 0.1
#: Seconds that storing an order is assumed to take before any was stored.
_FIRST_GUESS_SECONDS: Final = 0.01


class NoSlot(Exception):
    """The order would wait too long to be stored."""


class AcceptSlots:
    """A few orders are stored at once, the others wait in turn while that is soon enough."""

    def __init__(self, slots: int, wait_seconds: float, clock: Clock) -> None:
        self._slots: Final = slots
        self._wait_seconds: Final = wait_seconds
        self._clock: Final = clock
        self._free: Final = asyncio.Semaphore(slots)
        self._waiting = 0
        self._usual_seconds = _FIRST_GUESS_SECONDS

    @property
    def expected_wait_seconds(self) -> float:
        """Seconds that one more order would wait for a slot."""
        if not self._free.locked():
            return 0.0
        return (self._waiting + 1) * self._usual_seconds / self._slots

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Occupy a slot while the block runs. Raises NoSlot, at once where the wait would be too long."""
        if self.expected_wait_seconds > self._wait_seconds:
            raise NoSlot
        await self._wait()
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._free.release()
            took = self._clock.monotonic() - began
            self._usual_seconds += _WEIGHT * (took - self._usual_seconds)

    async def _wait(self) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise NoSlot from None
        finally:
            self._waiting -= 1


class EarlierLooks:
    """A reader of earlier attempts of orders that are about to be refused."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._looks: Final = Batches(self._look, most=_BATCH)

    async def certainly_none(self, new: NewPayment) -> bool:
        """Return True where certainly no attempt of the order blocks new ones; False where that is not known.

        It is not known of reversals and credits, which are named by their debit, and of an Idempotency-Key.
        """
        if new.operation is not Operation.DEBIT or new.idempotency_key is not None:
            return False
        key = operation_key(
            new.operation, new.order_id, debit_id=None, amount_cents=new.amount_cents, idempotency_key=None
        )
        try:
            return await self._looks.get(Refused(new.id, new.merchant_id, key)) is True
        except DatabaseUnavailable:
            return False

    async def _look(self, refused: Sequence[Refused]) -> dict[Refused, bool]:
        certain = await safe_to_retry(self._database, refused)
        return {one: one.id in certain for one in refused}
