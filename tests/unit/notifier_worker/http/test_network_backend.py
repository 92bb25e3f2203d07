"""One DNS look-up for each connection, every address checked."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from notifier_worker.http.errors import NoConnection, TimedOut
from notifier_worker.http.network_backend import Resolver
from shared.network.dns import SystemResolver
from shared.network.hosts import Address
from shared.network.targets import AddressPolicy, TargetRefused


class Names:
    """A DNS that answers with the given addresses when it may; counts the look-ups."""

    def __init__(self, *addresses: str) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._addresses = [ip_address(address) for address in addresses]

    async def __call__(self, host: str) -> Sequence[Address]:
        self.asked.append(host)
        await self.may_answer.wait()
        return self._addresses


async def test_addresses_come_in_the_resolvers_order() -> None:
    """The system has sorted them by reachability."""
    resolver = Resolver(Names("2400::1", "20.30.40.50"), AddressPolicy(), 30)

    assert await resolver.resolve("shop.example", 443) == (ip_address("2400::1"), ip_address("20.30.40.50"))


async def test_an_address_is_not_looked_up() -> None:
    """It is checked as it is."""
    names = Names("20.30.40.50")
    resolver = Resolver(names, AddressPolicy(), 30)

    assert await resolver.resolve("20.30.40.51", 443) == (ip_address("20.30.40.51"),)
    with pytest.raises(TargetRefused):
        await resolver.resolve("127.0.0.1", 443)
    assert names.asked == []


@pytest.mark.parametrize("private_at", [0, 1, 2])
async def test_one_private_address_among_public_ones_refuses_the_name(private_at: int) -> None:
    """Wherever it stands in the answer."""
    addresses = ["20.30.40.50", "2400::1"]
    addresses.insert(private_at, "10.0.0.1")

    with pytest.raises(TargetRefused) as refused:
        await Resolver(Names(*addresses), AddressPolicy(), 30).resolve("shop.example", 443)

    assert refused.value.reason == "address"


async def test_a_name_without_an_address_is_not_resolved() -> None:
    """An empty answer and a resolver's error have the same result."""

    async def fails(host: str) -> Sequence[Address]:
        raise OSError(host)

    for lookup in (Names(), fails):
        with pytest.raises(NoConnection) as missing:
            await Resolver(lookup, AddressPolicy(), 30).resolve("shop.example", 443)
        assert missing.value.reason == "name_unresolved"


async def test_a_look_up_that_takes_too_long_times_out() -> None:
    """The attempt fails with its own error code."""
    names = Names("20.30.40.50")
    names.may_answer.clear()

    with pytest.raises(TimedOut) as late:
        await Resolver(names, AddressPolicy(), 0.05).resolve("shop.example", 443)

    assert late.value.reason == "name_timeout"
    names.may_answer.set()


@pytest.mark.parametrize(
    "spelling",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.0.0.1", "127.0.1", "017700000001"],
)
async def test_the_system_reads_unusual_spellings_as_the_address_that_they_mean(spelling: str) -> None:
    """That address is checked and connected to."""
    lookup = SystemResolver(thread_count=1)

    try:
        with pytest.raises(TargetRefused):
            await Resolver(lookup, AddressPolicy(), 30).resolve(spelling, 443)
        loopback = AddressPolicy(allowed_networks=(ip_network("127.0.0.0/8"),))
        assert await Resolver(lookup, loopback, 30).resolve(spelling, 443) == (ip_address("127.0.0.1"),)
    finally:
        lookup.close()
