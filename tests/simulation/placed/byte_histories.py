"""Mistakes and placed histories about bytes that are no plain answer."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from sandbox.terminal.script.behaviour import Behaviour, Customer
from sandbox.terminal.server.answer_delivery import amount_bytes
from shared.concert import fields as f
from shared.payment.payment import Payment
from shared.settings.settings import Settings
from shared.storage.payments import settling
from terminal_worker.session import session
from terminal_worker.session.connection import Connection
from terminal_worker.session.late_answers import LateAnswerListener
from tests.simulation.placed.placed_history import Customers, PlacedHistory, begin, pays, state, until
from tests.simulation.world import World

_LEFT_OVER = b"CZ0040320AE00210AC006184117"


@contextmanager
def written_whatever_came_before() -> Iterator[None]:
    """Write without a look at what the terminal has written before."""

    def write(connection: Connection, request: bytes) -> None:
        connection.write(request)

    with patch.object(session, "write_request", write):
        yield


@contextmanager
def released_while_it_listens_on() -> Iterator[None]:
    """Release the terminal with the result, though a connection is still open."""
    original = settling.settle

    async def settle(*arguments: Any, **named: Any) -> Payment:
        return await original(*arguments, **(named | {"keep_lock": False}))

    with patch.object(settling, "settle", settle):
        yield


def late_amount_not_stored() -> AbstractContextManager[object]:
    """Drop what comes after a success without an amount."""

    async def next_evidence(self: LateAnswerListener, ends_at: float, settings: Settings) -> None:
        await self.reader.read(self.written_at, ends_at)

    return patch.object(LateAnswerListener, "next_evidence", next_evidence)


async def success_without_an_amount(world: World) -> Customers:
    """Answer a success without an amount on a connection that stays open, with the next customer waiting."""
    terminal = begin(world, workers=1)
    without = Behaviour(delay_seconds=5, leaves_out=frozenset({f.AMOUNT}), keeps_open=True)
    terminal.behaviours.extendleft([without, without])
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "succeeded")
    return [first, pays(world, "ORDER_2")]


async def another_amount_later(world: World) -> Customers:
    """Answer a success without an amount, and then another amount than was asked for."""
    terminal = begin(world, workers=1)
    terminal.behaviours.appendleft(
        Behaviour(delay_seconds=5, leaves_out=frozenset({f.AMOUNT}), keeps_open=True)
    )
    first = pays(world, "ORDER_1", amount=500)
    await until(lambda: state(world, 0) == "succeeded")
    world.ledger.written[-1].wire.answer(amount_bytes(300))
    await until(lambda: world.store.holder(terminal.terminal_address) is None)
    if not world.store.rows("SELECT 1 FROM payments WHERE contradicted"):
        world.ledger.violations.append("paid 300, and stored as 500")
    return [first]


async def answer_left_over(world: World) -> Customers:
    """Begin with an answer to somebody else's request; the next customer gives up."""
    terminal = begin(world, workers=1)
    terminal.greetings.append(_LEFT_OVER)
    terminal.behaviours.appendleft(Behaviour(delay_seconds=5, customer=Customer.ABANDON))
    return [pays(world, "ORDER_1")]


BYTE_HISTORIES: dict[str, PlacedHistory] = {
    "written whatever came before": PlacedHistory(written_whatever_came_before, answer_left_over),
    "released while it listens on": PlacedHistory(released_while_it_listens_on, success_without_an_amount),
    "a late amount not stored": PlacedHistory(late_amount_not_stored, another_amount_later),
}
