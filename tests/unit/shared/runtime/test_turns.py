"""Callers that go on in portions, one portion in each turn of the event loop."""

import asyncio

from shared.runtime.turns import Turns

CALLERS = 100


async def test_others_have_the_loop_between_the_portions_of_a_burst() -> None:
    """Between two turns of somebody else few callers go on; all do so in the order they came."""
    turns = Turns()
    gone_on: list[int] = []
    portions: list[int] = []

    async def call(number: int) -> None:
        await turns.take()
        gone_on.append(number)

    async def somebody_else() -> None:
        while len(gone_on) < CALLERS:
            before = len(gone_on)
            await asyncio.sleep(0)
            portions.append(len(gone_on) - before)

    await asyncio.gather(somebody_else(), *(call(number) for number in range(CALLERS)))

    assert gone_on == list(range(CALLERS))
    assert max(portions) <= 2


async def test_a_single_caller_goes_on_at_once() -> None:
    """Without a turn of the event loop, again and again."""
    turns = Turns()
    for _ in range(3):
        task = asyncio.create_task(turns.take())
        await asyncio.sleep(0)
        assert task.done()
        await asyncio.sleep(0)


async def test_a_caller_that_left_takes_no_turn() -> None:
    """Its place goes to the next one."""
    turns = Turns()
    tasks = [asyncio.create_task(turns.take()) for _ in range(CALLERS)]
    await asyncio.sleep(0)
    for task in tasks[: CALLERS // 2]:
        task.cancel()

    await asyncio.wait_for(asyncio.gather(*tasks[CALLERS // 2 :]), 10)
