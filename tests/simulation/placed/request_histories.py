"""Mistakes and placed histories about a request's terminal and its order's earlier attempts."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

from api.limits.overload import EarlierLooks
from api.payments.errors import TooManyOrders
from api.terminals import targets
from shared.network import hosts
from shared.network.hosts import Address
from shared.storage.payments.new_payment import NewPayment
from tests.simulation.placed.placed_history import Customers, PlacedHistory, begin, begun, pays, state, until
from tests.simulation.world import World

_MAPPED = "::ffff:7f00:2"


@contextmanager
def spellings_apart() -> Iterator[None]:
    """Give an address a terminal lock of its own in each of its spellings."""

    def unfolded(address: Address) -> Address:
        return address

    hosts.read_host.cache_clear()  # it remembers what it read without the mistake
    try:
        with patch.object(hosts, "folded", unfolded), patch.object(targets, "folded", unfolded):
            yield
    finally:
        hosts.read_host.cache_clear()


def refused_without_a_look() -> AbstractContextManager[object]:
    """Refuse an order beyond its credential's share without a look at earlier attempts."""

    async def certainly_none(_: EarlierLooks, _new: NewPayment) -> bool:
        return True

    return patch.object(EarlierLooks, "certainly_none", certainly_none)


async def one_terminal_in_two_spellings(world: World) -> Customers:
    """Pay at one terminal by its IPv4 address and by the mapped IPv6 address."""
    terminal = begin(world, workers=1)
    for text in (_MAPPED, "::ffff:127.0.0.2"):  # as Python writes it before and since 3.13
        world.around.terminals[f"[{text}]:8888"] = terminal
    await asyncio.sleep(1)
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_session")
    return [first, pays(world, "ORDER_2", host=_MAPPED)]


async def repeated_beyond_its_share(world: World) -> Customers:
    """Send an order again during its session, beyond its credential's share."""
    await begun(world, workers=1)
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_session")
    world.apis[0].refusal = TooManyOrders(1)
    return [first, pays(world, "ORDER_1")]


REQUEST_HISTORIES: dict[str, PlacedHistory] = {
    "two spellings of one terminal": PlacedHistory(spellings_apart, one_terminal_in_two_spellings),
    "a refusal beyond the share without a look": PlacedHistory(
        refused_without_a_look, repeated_beyond_its_share
    ),
}
