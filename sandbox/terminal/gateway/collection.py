"""Remote collection: stored transactions are sent to the gateway in a numbered batch until acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final

import structlog

from sandbox.terminal.device.journal import Fate, Journal, marked, next_batch, sum_cents
from sandbox.terminal.device.screen import COLLECTING, Screen, Stage
from sandbox.terminal.gateway.bodies import collection
from sandbox.terminal.gateway.link import GatewayUnreachable
from sandbox.terminal.state import TerminalState


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times of automatic collections: once a day at a local time, an interval, or both."""

    at: time | None = None
    every_seconds: float | None = None

    @property
    def is_set(self) -> bool:
        return self.at is not None or self.every_seconds is not None

    def seconds_to_next(self, now: datetime) -> float:
        """Return the seconds from `now` to the next collection. Raises ValueError where none is set."""
        waits = []
        if self.at is not None:
            due = datetime.combine(now.date(), self.at, tzinfo=now.tzinfo)
            if due <= now:
                due += timedelta(days=1)
            waits.append((due - now).total_seconds())
        if self.every_seconds is not None:
            waits.append(self.every_seconds)
        return min(waits)


#: Pause before a scheduled collection is retried on a busy terminal.
_BUSY_RETRY_SECONDS: Final = 5.0

_log = structlog.get_logger()


class TerminalBusy(Exception):
    """Raised for a collection during a payment or another collection."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Result of a collection."""

    #: None: there was nothing to collect.
    batch: int | None
    count: int
    #: Debits less credits.
    sum_cents: int
    acknowledged: bool
    #: Human-readable reason where it was not acknowledged.
    problem: str | None = None


_NOTHING: Final = Collection(None, 0, 0, acknowledged=True)


async def collect(state: TerminalState) -> Collection:
    """Collect the stored transactions; without a gateway they count as collected at once.

    The next collection sends a batch again, unchanged, that was not acknowledged. Raises TerminalBusy.
    """
    if not state.can_begin:
        raise TerminalBusy("a payment or a collection is on the screen")
    batch, transactions = next_batch(state.memory.journal, state.memory.batch)
    if not transactions:
        state.show(_shown(_NOTHING))
        return _NOTHING
    state.show(COLLECTING)
    state.memory = replace(
        state.memory,
        batch=batch,
        journal=_with_fate(state.memory.journal, transactions, Fate.SENT, batch),
    )
    ended = Collection(batch, len(transactions), sum_cents(transactions), acknowledged=False)
    try:
        problem = await _send(state, batch, transactions)
    finally:
        # Also after a cancellation: the batch may have arrived and stays as sent.
        state.show(_shown(ended))
    ended = replace(ended, acknowledged=problem is None, problem=problem)
    if problem is None:
        journal = _with_fate(state.memory.journal, transactions, Fate.COLLECTED, batch)
        state.memory = replace(state.memory, journal=journal)
    state.show(_shown(ended))
    return ended


async def collect_on_schedule(schedule: Schedule, run: Callable[[], Awaitable[Collection]]) -> None:
    """Run each collection that is due, until cancelled; retry on a busy terminal."""
    while True:
        await asyncio.sleep(schedule.seconds_to_next(datetime.now().astimezone()))
        while True:
            try:
                ended = await run()
            except TerminalBusy:
                await asyncio.sleep(_BUSY_RETRY_SECONDS)
            else:
                _log.info("scheduled collection ended", batch=ended.batch, problem=ended.problem)
                break


async def _send(state: TerminalState, batch: int, transactions: Journal) -> str | None:
    if state.gateway is None:
        return None
    try:
        answer = await state.gateway.collect(collection(batch, transactions, state.device, state.address))
    except GatewayUnreachable as error:
        return str(error)
    if not answer.acknowledged:
        return "not acknowledged"
    if (answer.count, answer.sum_cents) != (len(transactions), sum_cents(transactions)):
        return f"acknowledged {answer.count} transactions of {answer.sum_cents} cents"
    return None


def _with_fate(journal: Journal, transactions: Journal, fate: Fate, batch: int) -> Journal:
    return marked(journal, (transaction.number for transaction in transactions), fate, batch)


def _shown(ended: Collection) -> Screen:
    if ended.batch is None:
        message = "Nothing to collect"
    elif ended.acknowledged:
        message = f"Batch {ended.batch}: {ended.count} collected"
    else:
        message = f"Batch {ended.batch} not acknowledged"
    return Screen(stage=Stage.IDLE, message=message)
