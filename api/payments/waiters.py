"""Requests that wait for the result of a payment, woken by the broker's reply or by the database's state.

A reply is a wake-up, the database is the answer. One statement a second, for requests that attached to
another one's payment and for all that wait longer than a few seconds, covers every lost reply.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.payment.states import FINAL_STATES, State
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import snapshots

#: States that wake a waiting request.
_WAKING_STATES: Final = FINAL_STATES | {State.IN_DOUBT}


class Waiter:
    """One waiting request. `woken` is set when the state may have changed; cleared before the row is read."""

    def __init__(self, payment_id: str, since: float, attached: bool) -> None:
        self.payment_id: Final = payment_id
        self.since: Final = since
        #: The payment's reply goes to another process, or to none.
        self.attached: Final = attached
        self.woken: Final = asyncio.Event()
        #: The state that was read last: the same doubt does not wake it again.
        self.known: State | None = None


class Waiters:
    """Every waiting request of this process, by payment."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics, settings: Settings) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._waiters: Final[dict[str, dict[Waiter, None]]] = {}

    @contextmanager
    def waiting(self, payment_id: str, *, attached: bool) -> Iterator[Waiter]:
        """Register a waiting request while the block runs; begin before its message is published."""
        waiter = Waiter(payment_id, self._clock.monotonic(), attached)
        self._waiters.setdefault(payment_id, {})[waiter] = None
        try:
            yield waiter
        finally:
            remaining = self._waiters[payment_id]
            del remaining[waiter]
            if not remaining:
                del self._waiters[payment_id]

    def replied(self, payment_id: str) -> None:
        """Wake the requests of a payment whose reply came."""
        if self._wake(payment_id):
            self._metrics.reply_came("broker")

    def _wake(self, payment_id: str, state: State | None = None) -> bool:
        asleep = [
            waiter
            for waiter in self._waiters.get(payment_id, ())
            if not waiter.woken.is_set() and (state is None or waiter.known is not state)
        ]
        for waiter in asleep:
            waiter.woken.set()
        return bool(asleep)

    async def run(self) -> None:
        """Read the states periodically until cancelled."""
        while True:
            await asyncio.sleep(self._settings.reply_poll_seconds)
            with failures_logged("states of waiting payments not read"):
                await self.ask()

    async def ask(self) -> None:
        """Wake the requests whose payment changed its state. Raises DatabaseUnavailable."""
        before = self._clock.monotonic() - self._settings.reply_poll_after_seconds
        asked = [
            payment_id
            for payment_id, waiters in self._waiters.items()
            if any(waiter.attached or waiter.since <= before for waiter in waiters)
        ]
        if not asked:
            return
        for payment_id, state in (await snapshots.states(self._database, asked)).items():
            if state in _WAKING_STATES and self._wake(payment_id, state):
                self._metrics.reply_came("database")
