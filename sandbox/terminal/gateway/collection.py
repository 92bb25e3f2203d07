"""The remote collection: what is stored goes to the gateway in a numbered batch, until it is acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from sandbox.terminal.device.journal import Fate, Journal, marked, next_batch, sum_cents
from sandbox.terminal.device.screen import COLLECTING, Screen, Stage
from sandbox.terminal.gateway.bodies import collection
from sandbox.terminal.gateway.link import GatewayUnreachable
from sandbox.terminal.gateway.schedule import Schedule
from sandbox.terminal.state import TerminalState

#: A scheduled collection that meets a busy terminal is tried again after so long.
_BUSY_RETRY_SECONDS: Final = 5.0

_log = structlog.get_logger()


class TerminalBusy(Exception):
    """Raised where a collection is wanted while a payment or another collection is on the screen."""


@dataclass(frozen=True, slots=True)
class Collection:
    """How a collection ended."""

    #: None: nothing was waiting, nothing was sent.
    batch: int | None
    count: int
    #: Debits less credits.
    sum_cents: int
    acknowledged: bool
    #: Why not, in words.
    problem: str | None = None


_NOTHING: Final = Collection(None, 0, 0, acknowledged=True)


async def collect(terminal_state: TerminalState) -> Collection:
    """Send what is stored; without a gateway it counts as collected at once.

    While it runs it is on the screen, and a batch that was not acknowledged is sent again, unchanged, by the
    next collection. Raises TerminalBusy.
    """
    if not terminal_state.can_begin:
        raise TerminalBusy("a payment or a collection is on the screen")
    batch, transactions = next_batch(terminal_state.memory.journal, terminal_state.memory.batch)
    if not transactions:
        terminal_state.show(_shown(_NOTHING))
        return _NOTHING
    terminal_state.show(COLLECTING)
    terminal_state.memory = replace(
        terminal_state.memory,
        batch=batch,
        journal=_with_fate(terminal_state.memory.journal, transactions, Fate.SENT, batch),
    )
    ended = Collection(batch, len(transactions), sum_cents(transactions), acknowledged=False)
    try:
        problem = await _send(terminal_state, batch, transactions)
    finally:
        # Also where the waiting was cancelled: the batch may have arrived and stays as sent.
        terminal_state.show(_shown(ended))
    ended = replace(ended, acknowledged=problem is None, problem=problem)
    if problem is None:
        journal = _with_fate(terminal_state.memory.journal, transactions, Fate.COLLECTED, batch)
        terminal_state.memory = replace(terminal_state.memory, journal=journal)
    terminal_state.show(_shown(ended))
    return ended


async def collect_on_schedule(schedule: Schedule, run: Callable[[], Awaitable[Collection]]) -> None:
    """Run a collection whenever one is due, until cancelled; a busy terminal is tried again soon."""
    while True:
        await asyncio.sleep(schedule.seconds_to_next(datetime.now().astimezone()))
        while True:
            try:
                ended = await run()
            except TerminalBusy:
                await asyncio.sleep(_BUSY_RETRY_SECONDS)
            else:
                _log.info("collected on schedule", batch=ended.batch, problem=ended.problem)
                break


async def _send(terminal_state: TerminalState, batch: int, transactions: Journal) -> str | None:
    if terminal_state.gateway is None:
        return None
    try:
        answer = await terminal_state.gateway.collect(
            collection(batch, transactions, terminal_state.device, terminal_state.address)
        )
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
