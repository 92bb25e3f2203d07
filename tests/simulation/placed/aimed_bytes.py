"""Placed histories about bytes that are no answer to what was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sandbox.terminal.script.behaviour import Behaviour, Customer
from shared.concert import fields as f
from shared.payment.payment import Payment
from shared.storage.payments import settling
from terminal_worker.session import session
from terminal_worker.session.connection import Connection
from tests.simulation.placed.placing import Aim, Customers, begin, pays, state, until
from tests.simulation.world import World

_LEFT_OVER = b"CZ0040320AE00210AC006184117"


@contextmanager
def written_whatever_came_before() -> Iterator[None]:
    """Nobody looks whether the terminal has written before it was asked."""

    def write(connection: Connection, request: bytes) -> None:
        connection.write(request)

    with patch.object(session, "write_request", write):
        yield


@contextmanager
def freed_while_it_listens_on() -> Iterator[None]:
    """The line is free as soon as the outcome is stored, whatever connection is still open."""
    original = settling.settle

    async def settle(*arguments: Any, **named: Any) -> Payment:
        return await original(*arguments, **(named | {"keep_line": False}))

    with patch.object(settling, "settle", settle):
        yield


async def success_without_an_amount(world: World) -> Customers:
    """The amount may still come, on a connection that stays open, and the next customer is there."""
    terminal = begin(world, workers=1)
    without = Behaviour(delay_seconds=5, leaves_out=frozenset({f.AMOUNT}), keeps_open=True)
    terminal.behaviours.extendleft([without, without])
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "succeeded")
    return [first, pays(world, "ORDER_2")]


async def answer_left_over(world: World) -> Customers:
    """A terminal begins with an answer that somebody else was waiting for; its next customer gives up."""
    terminal = begin(world, workers=1)
    terminal.greetings.append(_LEFT_OVER)
    terminal.behaviours.appendleft(Behaviour(delay_seconds=5, customer=Customer.ABANDON))
    return [pays(world, "ORDER_1")]


BYTES: dict[str, Aim] = {
    "written whatever came before": Aim(written_whatever_came_before, answer_left_over),
    "freed while it listens on": Aim(freed_while_it_listens_on, success_without_an_amount),
}
