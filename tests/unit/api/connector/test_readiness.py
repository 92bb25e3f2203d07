"""Readiness: one look serves many requests, since anybody may ask and each look costs the broker calls."""

import asyncio

from in_memory.hand_clock import HandClock

from api.connector.readiness import Readiness

BEGAN = HandClock.now


class _Part:
    def __init__(self) -> None:
        self.looks = 0
        self.problem: str | None = None
        self.may_answer = asyncio.Event()

    async def check(self) -> str | None:
        self.looks += 1
        await self.may_answer.wait()
        return self.problem


async def test_requests_share_a_look() -> None:
    """A hundred at once are one look; there is another later, which sees what is new."""
    clock, part = HandClock(), _Part()
    readiness = Readiness({"part": part.check}, clock)
    asked = [asyncio.create_task(readiness.missing()) for _ in range(100)]
    part.may_answer.set()
    assert set(await asyncio.gather(*asked)) == {None}
    assert part.looks == 1

    part.problem = "it is gone"
    clock.now = BEGAN + 0.4
    assert await readiness.missing() is None
    clock.now = BEGAN + 2.0
    assert await readiness.missing() == "part: it is gone"
    assert part.looks == 2


async def test_nobody_waits_for_a_look_while_the_last_one_is_two_seconds_old_at_most() -> None:
    """A look of a busy process takes its time: it runs meanwhile, and whoever asks later has its answer."""
    clock, part = HandClock(), _Part()
    readiness = Readiness({"part": part.check}, clock)
    part.may_answer.set()
    await readiness.missing()
    part.problem = "it is gone"
    part.may_answer.clear()

    clock.now = BEGAN + 0.5
    assert await readiness.missing() is None
    clock.now = BEGAN + 1.9
    assert await readiness.missing() is None
    clock.now = BEGAN + 2.0
    late = asyncio.create_task(readiness.missing())
    await asyncio.sleep(0)
    assert not late.done()
    part.may_answer.set()

    assert await late == "part: it is gone"
    assert await readiness.missing() == "part: it is gone"
    assert part.looks == 2


async def test_a_client_that_leaves_takes_no_answer_from_the_others() -> None:
    """Its request is cancelled, the look goes on."""
    part = _Part()
    readiness = Readiness({"part": part.check}, HandClock())
    leaving, staying = (asyncio.create_task(readiness.missing()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    part.may_answer.set()

    assert await staying is None
    assert part.looks == 1


async def test_a_check_that_fails_is_said_and_is_no_end() -> None:
    """An unexpected error of a check is a problem with a name."""

    async def check() -> str | None:
        raise RuntimeError("secret")

    readiness = Readiness({"part": check}, HandClock())

    assert await readiness.missing() == "part: the check failed: RuntimeError"
