"""Slots for storing orders: in turn while that is soon enough, else refused at once."""

import asyncio

import pytest

from api.limits.overload import AcceptSlots, NoSlot


class Watch:
    """A clock that goes on when a test says so; seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    boot = monotonic

    def wall_ms(self) -> int:
        return int(self.now * 1000)


async def _hold(slots: AcceptSlots, until: asyncio.Event) -> None:
    async with slots.slot():
        await until.wait()


async def test_an_order_waits_its_turn_while_that_is_soon_enough() -> None:
    """One slot: the second gets it when the first is done."""
    slots, done = AcceptSlots(1, 60, Watch()), asyncio.Event()
    tasks = [asyncio.create_task(_hold(slots, done)) for _ in range(3)]
    await asyncio.sleep(0)

    done.set()

    await asyncio.gather(*tasks)
    assert slots.expected_wait_seconds == 0


async def test_an_order_that_would_wait_too_long_is_refused_at_once() -> None:
    """By how long earlier ones took and how many wait: no time is spent on it."""
    watch = Watch()
    slots = AcceptSlots(2, 1.0, watch)
    for _ in range(100):
        async with slots.slot():
            watch.now += 0.5
    done = asyncio.Event()
    tasks = [asyncio.create_task(_hold(slots, done)) for _ in range(8)]
    await asyncio.sleep(0)

    with pytest.raises(NoSlot):
        async with slots.slot():
            pass

    done.set()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_slot_that_does_not_come_in_time_is_given_up() -> None:
    """The guess may be wrong: a database that hangs was quick before."""
    slots, done = AcceptSlots(1, 0.05, Watch()), asyncio.Event()
    held = asyncio.create_task(_hold(slots, done))
    await asyncio.sleep(0)

    with pytest.raises(NoSlot):
        async with slots.slot():
            pass

    done.set()
    await held
    async with slots.slot():
        assert slots.expected_wait_seconds > 0


async def test_a_wait_that_becomes_too_long_is_ended_at_once() -> None:
    """Storing takes longer than it did when they came: the last ones are refused, the first ones wait on."""
    watch = Watch()
    slots, done = AcceptSlots(1, 60, watch), asyncio.Event()
    tasks = [asyncio.create_task(_hold(slots, done)) for _ in range(20)]
    await asyncio.sleep(0)

    watch.now += 50
    done.set()

    ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
    stored = ended.count(None)
    assert 1 < stored < len(tasks)
    assert all(isinstance(error, NoSlot) for error in ended[stored:])
