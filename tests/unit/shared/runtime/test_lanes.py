"""Calls that go together: none delayed by more to come, none cancelled or failed by another's caller."""

import asyncio
import contextvars
from collections.abc import Sequence
from typing import Any

import pytest

from shared.runtime.lanes import Lanes

#: Longer than any test takes.
FOREVER_SECONDS = 3600.0
MOMENT_SECONDS = 0.01


class _Work:
    """Batches that end when the test says so; the result of an item is its square."""

    def __init__(self) -> None:
        self.ends: dict[int, asyncio.Event] = {}
        self.begun: asyncio.Queue[list[int]] = asyncio.Queue()
        self.cancelled: list[list[int]] = []
        self.error: Exception | None = None
        #: For each batch, if another one was under way.
        self.beside: list[bool] = []

    async def run(self, items: Sequence[int], is_beside: bool) -> list[int]:
        self.beside.append(is_beside)
        self.begun.put_nowait(list(items))
        try:
            await self.ends.setdefault(items[0], asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(list(items))
            raise
        if self.error is not None:
            raise self.error
        return [item * item for item in items]

    def end(self, *first_items: int) -> None:
        for item in first_items:
            self.ends.setdefault(item, asyncio.Event()).set()

    def lanes(self, **more: Any) -> Lanes[int, int]:
        settings = {"most": 100, "lanes": 1, "patience_seconds": FOREVER_SECONDS, **more}
        return Lanes(self.run, context=contextvars.copy_context(), **settings)


def _calls(lanes: Lanes[int, int], *items: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(lanes.run(item)) for item in items]


async def _settled() -> None:
    """Let everything run that can run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_during_a_batch_goes_into_the_next() -> None:
    """The first one goes at once, alone; of the others no more than fit into a batch go together."""
    work = _Work()
    lanes = work.lanes(most=2)
    calls = _calls(lanes, 1)
    assert await work.begun.get() == [1]

    calls += _calls(lanes, 2, 3, 4)
    work.end(1, 2, 4)

    assert await asyncio.gather(*calls) == [1, 4, 9, 16]
    assert [work.begun.get_nowait() for _ in range(2)] == [[2, 3], [4]]


async def test_equal_items_are_calls_of_their_own() -> None:
    """Two callers with the same parameters are two calls."""
    work = _Work()
    work.end(7)

    assert await asyncio.gather(*_calls(work.lanes(), 7, 7)) == [49, 49]
    assert work.begun.get_nowait() == [7, 7]


async def test_a_hanging_batch_keeps_others_waiting_for_a_moment_only() -> None:
    """They go together beside it; there are never more batches than lanes."""
    work = _Work()
    lanes = work.lanes(lanes=2, patience_seconds=MOMENT_SECONDS)
    first = _calls(lanes, 1)
    assert await work.begun.get() == [1]

    others = _calls(lanes, 2, 3)
    assert await work.begun.get() == [2, 3]
    later = _calls(lanes, 4)
    # Timers end in their order: the second batch's moment is over before this one.
    await asyncio.sleep(MOMENT_SECONDS)
    await _settled()
    assert work.begun.empty()

    work.end(2)
    assert await work.begun.get() == [4]
    work.end(4, 1)
    assert await asyncio.gather(*first, *others, *later) == [1, 4, 9, 16]
    assert work.beside == [False, True, True]


async def test_a_moment_that_is_over_is_not_waited_for_again() -> None:
    """Whoever comes while an old batch hangs has one of its own at once."""
    work = _Work()
    lanes = work.lanes(lanes=2, patience_seconds=0.0)
    calls = _calls(lanes, 1)
    await work.begun.get()
    await _settled()

    calls += _calls(lanes, 2)

    assert await work.begun.get() == [2]
    work.end(1, 2)
    assert await asyncio.gather(*calls) == [1, 4]


async def test_an_error_is_raised_in_its_own_batch_only() -> None:
    """The next batch begins all the same."""
    work = _Work()
    lanes = work.lanes()
    calls = _calls(lanes, 1, 2)
    await work.begun.get()
    calls += _calls(lanes, 3)
    work.error = ValueError("the batch's own")
    work.end(1)
    failed = await asyncio.gather(*calls[:2], return_exceptions=True)
    work.error = None
    work.end(3)

    assert [str(error) for error in failed] == ["the batch's own"] * 2
    assert await calls[2] == 9


async def test_a_cancelled_caller_takes_nobody_with_it_and_waits_for_the_end_of_its_call() -> None:
    """Nothing is carried out for a caller that is gone."""
    work = _Work()
    calls = _calls(work.lanes(), 1, 2)
    await work.begun.get()

    calls[0].cancel()
    await _settled()
    assert not calls[0].done()
    work.end(1)

    assert await calls[1] == 4
    with pytest.raises(asyncio.CancelledError):
        await calls[0]


async def test_a_cancelled_caller_is_not_begun_any_more() -> None:
    """It ends at once, and the batch goes without it."""
    work = _Work()
    lanes = work.lanes()
    calls = _calls(lanes, 1)
    await work.begun.get()
    calls += _calls(lanes, 2, 3)
    await _settled()

    calls[1].cancel()
    await _settled()
    assert calls[1].cancelled()
    work.end(1, 3)

    assert await calls[2] == 9
    assert work.begun.get_nowait() == [3]


async def test_a_batch_without_a_caller_is_cancelled() -> None:
    """As a statement of one caller is; whoever comes then is not affected."""
    work = _Work()
    lanes = work.lanes()
    calls = _calls(lanes, 1, 2)
    await work.begun.get()

    for call in calls:
        call.cancel()
    await _settled()

    assert work.cancelled == [[1, 2]]
    assert all(call.cancelled() for call in calls)
    work.end(3)
    assert await lanes.run(3) == 9


async def test_draining_waits_for_what_callers_did_not_wait_for() -> None:
    """A caller that is cancelled twice is gone at once; what it began with others goes on until its end."""
    work = _Work()
    lanes = work.lanes()
    calls = _calls(lanes, 1, 2)
    await work.begun.get()
    for _ in range(2):
        calls[0].cancel()
        await _settled()
    assert calls[0].cancelled()
    draining = asyncio.create_task(lanes.drain())
    await _settled()
    assert not draining.done()

    work.end(1)

    await asyncio.wait_for(draining, 5)
    assert await calls[1] == 4


async def test_a_batch_logs_nothing_of_one_caller() -> None:
    """A caller's variables are not those of the others."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nobody's")
    seen: list[str] = []

    async def run(items: Sequence[int], _: bool) -> Sequence[int]:
        seen.append(variable.get())
        return items

    lanes = Lanes(
        run,
        most=9,
        lanes=1,
        patience_seconds=FOREVER_SECONDS,
        context=contextvars.copy_context(),
    )
    variable.set("one caller's")

    assert await lanes.run(1) == 1
    assert seen == ["nobody's"]
