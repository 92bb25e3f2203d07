"""Many callers, one statement at a time, none delayed or cancelled by another."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.runtime.shared_reads import Batches


class Asked:
    """A query that returns each key's square when it may, and records the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.error: Exception | None = None

    async def ask(self, keys: Sequence[int]) -> dict[int, int]:
        self.batches.append(sorted(keys))
        self.begun.set()
        await self.goes_on.wait()
        if self.error is not None:
            raise self.error
        return {key: key * key for key in keys if key >= 0}


async def test_keys_that_come_during_a_statement_go_into_the_next() -> None:
    """The first is queried alone and at once, all others together, equal ones once."""
    asked = Asked()
    batches: Batches[int, int] = Batches(asked.ask, most=100)
    asked.goes_on.clear()
    first = asyncio.create_task(batches.get(1))
    await asked.begun.wait()

    others = [asyncio.create_task(batches.get(key)) for key in (2, 3, 3, -4)]
    await asyncio.sleep(0)
    asked.goes_on.set()

    assert await first == 1
    assert await asyncio.gather(*others) == [4, 9, 9, None]
    assert asked.batches == [[1], [-4, 2, 3]]


async def test_a_batch_has_a_limit() -> None:
    """Further keys go into the next one."""
    asked = Asked()
    batches: Batches[int, int] = Batches(asked.ask, most=2)

    assert await asyncio.gather(*(batches.get(key) for key in range(5))) == [0, 1, 4, 9, 16]
    assert [len(batch) for batch in asked.batches] == [2, 2, 1]


async def test_a_cancelled_caller_does_not_affect_the_others() -> None:
    """The statement goes on for the others of its batch."""
    asked = Asked()
    batches: Batches[int, int] = Batches(asked.ask, most=100)
    asked.goes_on.clear()
    leaving, staying = asyncio.create_task(batches.get(1)), asyncio.create_task(batches.get(1))
    await asked.begun.wait()

    leaving.cancel()
    asked.goes_on.set()

    assert await staying == 1
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_an_error_is_raised_in_its_own_batch_only() -> None:
    """In every caller of the batch; the next batch is a new statement."""
    asked = Asked()
    batches: Batches[int, int] = Batches(asked.ask, most=100)
    asked.error = ValueError("cancelled")
    failed = await asyncio.gather(batches.get(1), batches.get(2), return_exceptions=True)
    assert [type(error) for error in failed] == [ValueError, ValueError]

    asked.error = None

    assert await batches.get(3) == 9
