"""Placed histories about bytes that are no answer to what was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from sandbox.terminal.behaviour import Behaviour, Customer
from terminal_worker import session
from terminal_worker.connection import Connection
from tests.simulation.placing import Aim, Customers, begin, pays
from tests.simulation.world import World

_LEFT_OVER = b"CZ0040320AE00210AC006184117"


@contextmanager
def written_whatever_came_before() -> Iterator[None]:
    """Nobody looks whether the terminal has written before it was asked."""

    def write(connection: Connection, request: bytes) -> None:
        connection.write(request)

    with patch.object(session, "write_request", write):
        yield


async def answer_left_over(world: World) -> Customers:
    """A terminal begins with an answer that somebody else was waiting for; its next customer gives up."""
    terminal = begin(world, workers=1)
    terminal.greetings.append(_LEFT_OVER)
    terminal.behaviours.appendleft(Behaviour(delay_seconds=5, customer=Customer.ABANDON))
    return [pays(world, "ORDER_1")]


BYTES: dict[str, Aim] = {
    "written whatever came before": Aim(written_whatever_came_before, answer_left_over),
}
