"""Placed histories about what a request means: its terminal, and the order that it repeats."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

from api.limits.overload import EarlierLooks
from api.payments.errors import TooManyOrders
from api.terminals import addresses
from shared.network import hosts
from shared.network.public_addresses import Address
from shared.storage.payments.new_payment import NewPayment
from tests.simulation.placed.placing import Aim, Customers, begin, pays, state, until
from tests.simulation.world import World

_MAPPED = "::ffff:7f00:2"


@contextmanager
def spellings_apart() -> Iterator[None]:
    """An address has a terminal lock of its own in each of its spellings."""

    def unfolded(address: Address) -> Address:
        return address

    with patch.object(hosts, "folded", unfolded), patch.object(addresses, "folded", unfolded):
        yield


def refused_without_a_look() -> AbstractContextManager[object]:
    """A request beyond its share is refused, whatever its order has at the terminal."""

    async def certainly_none(_: EarlierLooks, _new: NewPayment) -> bool:
        return True

    return patch.object(EarlierLooks, "certainly_none", certainly_none)


async def one_terminal_in_two_spellings(world: World) -> Customers:
    """One cash register knows the terminal by its IPv4 address, another one by the mapped IPv6 address."""
    terminal = begin(world, workers=1)
    for text in (_MAPPED, "::ffff:127.0.0.2"):  # as Python writes it before and since 3.13
        world.around.terminals[f"[{text}]:8888"] = terminal
    await asyncio.sleep(1)
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_session")
    return [first, pays(world, "ORDER_2", host=_MAPPED)]


async def repeated_beyond_its_share(world: World) -> Customers:
    """An order is sent again while its payment is in session, by a credential that sends too many."""
    begin(world, workers=1)
    await asyncio.sleep(1)
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_session")
    world.apis[0].refusal = TooManyOrders(1)
    return [first, pays(world, "ORDER_1")]


REQUESTS: dict[str, Aim] = {
    "two spellings of one terminal": Aim(spellings_apart, one_terminal_in_two_spellings),
    "a refusal beyond the share without a look": Aim(refused_without_a_look, repeated_beyond_its_share),
}
