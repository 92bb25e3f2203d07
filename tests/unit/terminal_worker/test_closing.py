"""The close of a connection, and what was learned on it."""

import asyncio

import pytest

from terminal_worker.session.connection import close_keeping_result


class SlowToClose:
    """A connection whose close takes until the end of the test."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()

    def peek(self) -> bytes | None:
        return None

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    async def read(self) -> bytes:
        raise NotImplementedError

    async def close(self) -> None:
        self.closing.set()
        await asyncio.Event().wait()


async def test_a_cancellation_while_a_connection_closes_loses_no_result() -> None:
    """The result is returned first; the next await is cancelled."""
    connection = SlowToClose()
    observed: list[str] = []

    async def ask() -> str:
        try:
            return "paid"
        finally:
            await close_keeping_result(connection)

    async def use() -> None:
        observed.append(await ask())
        await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await connection.closing.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert observed == ["paid"]
    assert task.cancelling() == 1


async def test_whoever_was_cancelled_before_the_close_stays_so() -> None:
    """A second cancellation, within the close, hides no earlier one."""
    connection = SlowToClose()
    asking = asyncio.Event()

    async def ask() -> None:
        try:
            asking.set()
            await asyncio.Event().wait()
        finally:
            await close_keeping_result(connection)

    task = asyncio.create_task(ask())
    await asking.wait()
    task.cancel()
    await connection.closing.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
