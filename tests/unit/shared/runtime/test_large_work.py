"""Large bodies are worked on one after the other, and others are answered in between."""

import asyncio
import threading

from shared.runtime.turns import LARGE_BYTES, LargeWork

#: Turns of the event loop that answering a health check takes: received, looked up, sent.
HEALTH_TURNS = 5
BUSY_SECONDS = 0.05


async def test_a_request_that_comes_while_large_bodies_wait_is_answered_after_one_of_them() -> None:
    """Four come at once; somebody else asks for health while the first is read."""
    large_work, loop = LargeWork(), asyncio.get_running_loop()
    happened: list[str] = []
    has_come, second_began = threading.Event(), threading.Event()

    async def answer_health() -> None:
        # The loop is busy with this request, however long: no other body is read meanwhile.
        has_come.set()
        second_began.wait(BUSY_SECONDS)
        for _ in range(HEALTH_TURNS - 1):
            await asyncio.sleep(0)
        happened.append("health")

    def ask_for_health() -> None:
        health.append(loop.create_task(answer_health()))

    def read_first() -> None:
        happened.append("large")
        loop.call_soon_threadsafe(ask_for_health)
        has_come.wait()

    def read() -> None:
        second_began.set()
        happened.append("large")

    health: list[asyncio.Task[None]] = []
    await asyncio.gather(*(large_work.run(LARGE_BYTES, work) for work in (read_first, read, read, read)))

    assert happened == ["large", "health", "large", "large", "large"]


async def test_work_that_fails_or_is_given_up_holds_the_next_up_no_longer() -> None:
    """Whatever becomes of one body, the others are read."""
    large_work = LargeWork()

    def fail() -> None:
        raise ValueError

    given_up = asyncio.create_task(large_work.run(LARGE_BYTES, fail))
    waits = asyncio.create_task(large_work.run(LARGE_BYTES, str, 1))
    also_waits = asyncio.create_task(large_work.run(LARGE_BYTES, str, 2))
    await asyncio.sleep(0)
    waits.cancel()
    results = await asyncio.gather(given_up, waits, also_waits, return_exceptions=True)

    assert isinstance(results[0], ValueError)
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[2] == "2"


async def test_small_work_waits_for_no_large_one() -> None:
    """It is done at once, in the same turn of the loop."""
    large_work = LargeWork()
    is_read = asyncio.create_task(large_work.run(LARGE_BYTES, str, 1))
    await asyncio.sleep(0)

    assert await large_work.run(LARGE_BYTES - 1, str, 2) == "2"
    assert not is_read.done()
    assert await is_read == "1"
