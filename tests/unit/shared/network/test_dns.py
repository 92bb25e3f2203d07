"""DNS look-ups for several requesters: one requester's dead names do not delay another's."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from eventually import eventually
from in_memory.hand_clock import HandClock

from shared.network.dns import SLOW_LOOKUPS, SLOW_SECONDS, CachingResolver, SystemResolver
from shared.network.hosts import Address

_ADDRESS = ip_address("20.30.40.50")


class NameServers:
    """Name servers that answer at once, but for names that end in `.dead` only when they may."""

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


async def test_one_requesters_dead_names_delay_no_other_requester() -> None:
    """As many as its limit run, however many it asks for; another one's name is found at once."""
    servers = NameServers()
    names = CachingResolver(servers, HandClock(), limit_each=3)

    floods = [asyncio.create_task(names.find(host, "one")) for host in dead(50)]
    await eventually(lambda: len(servers.asked) == 3)

    assert await names.find("shop.example", "two") == [_ADDRESS]
    assert len(servers.asked) == 4
    servers.may_answer.set()
    assert await asyncio.gather(*floods) == [[_ADDRESS]] * 50


async def test_a_caller_that_gives_up_frees_no_slot() -> None:
    """The system's look-up goes on, so its slot is used until it ends."""
    servers = NameServers()
    names = CachingResolver(servers, HandClock(), limit_each=3)

    for host in dead(10):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(names.find(host, "one"), 0.01)

    assert len(servers.asked) == 3
    servers.may_answer.set()
    assert await names.find("name9.dead", "one") == [_ADDRESS]


async def test_a_name_that_waits_for_one_requester_is_looked_up_for_another() -> None:
    """A requester cannot delay a name by asking for it after its own dead ones."""
    servers = NameServers()
    names = CachingResolver(servers, HandClock(), limit_each=1)
    flood = asyncio.create_task(names.find("name.dead", "one"))
    await eventually(lambda: servers.asked)
    queued = asyncio.create_task(names.find("shop.example", "one"))

    assert await names.find("shop.example", "two") == [_ADDRESS]
    assert not queued.done()

    servers.may_answer.set()
    await asyncio.gather(flood, queued)


async def test_callers_of_one_name_share_its_look_up() -> None:
    """A name whose servers never answer uses one slot, also for callers after the first gave up."""
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


async def test_slow_names_leave_slots_to_quick_ones_of_the_same_requester() -> None:
    """Names whose last look-up was slow have fewer slots the next time."""
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


async def test_an_answer_is_cached_for_its_time_only() -> None:
    """So that a change of address is noticed."""
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
async def test_failures_are_not_cached_and_nothing_is_with_a_time_of_0(host: str, seconds: float) -> None:
    """A name server that was unavailable is asked again."""
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
async def test_dead_names_do_not_delay_the_look_ups_of_database_and_broker() -> None:
    """The event loop's own look-ups have threads of their own."""
    lookup = SystemResolver(thread_count=100)
    floods = [asyncio.create_task(lookup(host)) for host in dead(100)]
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 5432)

    for flood in floods:
        flood.cancel()
    lookup.close()
