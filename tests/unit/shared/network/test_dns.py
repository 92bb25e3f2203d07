"""Names that others gave us: nobody's dead ones are in another one's way."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from eventually import eventually

from shared.network.dns import SLOW_LOOKUPS, SLOW_SECONDS, CachingResolver, SystemResolver
from shared.network.public_addresses import Address
from shared.runtime.clock import SystemClock

_ADDRESS = ip_address("20.30.40.50")


class HandClock(SystemClock):
    """Its monotonic time is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class NameServers:
    """Answer at once, but for names that end in `.dead`: those when they are let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()

    async def __call__(self, host: str) -> Sequence[Address]:
        self.asked.append(host)
        if host.endswith(".dead"):
            await self.may_answer.wait()
        if host.startswith("no."):
            raise OSError(host)
        return [_ADDRESS]


def dead(count: int) -> list[str]:
    return [f"name{number}.dead" for number in range(count)]


async def test_one_merchants_dead_names_wait_for_each_other_and_for_nobody_else() -> None:
    """As many as its limit are under way, however many it asks for; another one's name is found at once."""
    servers = NameServers()
    names = CachingResolver(servers, HandClock(), limit_each=3)

    floods = [asyncio.create_task(names.find(host, "one")) for host in dead(50)]
    await eventually(lambda: len(servers.asked) == 3)

    assert await names.find("shop.example", "two") == [_ADDRESS]
    assert len(servers.asked) == 4
    servers.may_answer.set()
    assert await asyncio.gather(*floods) == [[_ADDRESS]] * 50


async def test_who_gives_up_frees_no_place() -> None:
    """The system's look-up goes on, so its place stays taken until it ends."""
    servers = NameServers()
    names = CachingResolver(servers, HandClock(), limit_each=3)

    for host in dead(10):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(names.find(host, "one"), 0.01)

    assert len(servers.asked) == 3
    servers.may_answer.set()
    assert await names.find("name9.dead", "one") == [_ADDRESS]


async def test_a_name_that_waits_in_anothers_queue_is_looked_up_for_who_comes() -> None:
    """Nobody holds up a name by asking for it behind its own dead ones."""
    servers = NameServers()
    names = CachingResolver(servers, HandClock(), limit_each=1)
    flood = asyncio.create_task(names.find("name.dead", "one"))
    await eventually(lambda: servers.asked)
    queued = asyncio.create_task(names.find("shop.example", "one"))

    assert await names.find("shop.example", "two") == [_ADDRESS]
    assert not queued.done()

    servers.may_answer.set()
    await asyncio.gather(flood, queued)


async def test_who_waits_for_one_name_shares_its_look_up() -> None:
    """A name whose servers never answer holds one place, also for those that come after somebody gave up."""
    servers = NameServers()
    names = CachingResolver(servers, HandClock(), limit_each=3)

    gives_up = asyncio.create_task(names.find("shop.dead", "one"))
    await eventually(lambda: servers.asked)
    gives_up.cancel()
    waits = [asyncio.create_task(names.find("shop.dead", "two")) for _ in range(2)]
    await asyncio.gather(gives_up, return_exceptions=True)
    servers.may_answer.set()

    assert await asyncio.gather(*waits) == [[_ADDRESS]] * 2
    assert servers.asked == ["shop.dead"]


async def test_slow_names_leave_places_to_the_quick_ones_of_the_same_merchant() -> None:
    """A name whose last look-up was slow has fewer places the next time."""
    servers, clock = NameServers(), HandClock()
    names = CachingResolver(servers, clock, limit_each=SLOW_LOOKUPS + 5)
    slow = dead(SLOW_LOOKUPS + 4)
    first = [asyncio.create_task(names.find(host, "one")) for host in slow]
    await eventually(lambda: len(servers.asked) == len(slow))
    clock.now += SLOW_SECONDS + 1
    servers.may_answer.set()
    await asyncio.gather(*first)

    servers.may_answer.clear()
    servers.asked.clear()
    again = [asyncio.create_task(names.find(host, "one")) for host in slow]
    await eventually(lambda: len(servers.asked) == SLOW_LOOKUPS)

    assert await names.find("shop.example", "one") == [_ADDRESS]
    assert len(servers.asked) == SLOW_LOOKUPS + 1
    servers.may_answer.set()
    await asyncio.gather(*again)


async def test_an_answer_is_remembered_for_its_time_and_no_longer() -> None:
    """So that a change of address is seen."""
    servers, clock = NameServers(), HandClock()
    names = CachingResolver(servers, clock, limit_each=3, cache_seconds=10)

    await names.find("shop.example", "one")
    clock.now += 9
    await names.find("shop.example", "two")
    assert len(servers.asked) == 1

    clock.now += 1
    await names.find("shop.example", "one")
    assert len(servers.asked) == 2


@pytest.mark.parametrize(("host", "seconds"), [("no.example", 10), ("shop.example", 0)])
async def test_failures_are_not_remembered_and_nothing_is_where_no_time_is_given(
    host: str, seconds: float
) -> None:
    """A name server that was away is asked again."""
    servers = NameServers()
    names = CachingResolver(servers, HandClock(), limit_each=3, cache_seconds=seconds)

    for _ in range(2):
        await asyncio.gather(names.find(host, "one"), return_exceptions=True)

    assert servers.asked == [host] * 2


@pytest.fixture
def dead_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system's resolver, where names that end in `.dead` hang."""
    ended, real = threading.Event(), socket.getaddrinfo

    def ask(host: str, *rest: Any, **named: Any) -> Any:
        if host.endswith(".dead"):
            ended.wait(120)
            raise socket.gaierror(socket.EAI_AGAIN, host)
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    yield
    ended.set()


@pytest.mark.usefixtures("dead_servers")
async def test_database_and_broker_never_wait_behind_the_names_of_others() -> None:
    """The event loop's own look-ups have other threads."""
    lookup = SystemResolver(thread_count=100)
    floods = [asyncio.create_task(lookup(host)) for host in dead(100)]
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 5432)

    for flood in floods:
        flood.cancel()
    lookup.close()
