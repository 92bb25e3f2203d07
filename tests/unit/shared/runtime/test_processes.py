"""Children of this process: read by their logs, watched, ended."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.runtime.processes import Fleet, ProcessFailed

CHILD = """
import json, signal, sys, time
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("no JSON")
print(json.dumps({"event": "ready", "port": 1}), flush=True)
if sys.argv[1] == "brief":
    sys.exit("out of order")
time.sleep(60)
"""


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    (tmp_path / "child.py").write_text(CHILD)
    made = Fleet({}, tmp_path, cwd=tmp_path)
    yield made
    await made.stop(1)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_log_line_is_waited_for(fleet: Fleet) -> None:
    """By its event and fields."""
    process = await fleet.start("usual", module="child")

    assert await process.logged("ready", port=1) == {"event": "ready", "port": 1}
    with pytest.raises(ProcessFailed, match="usual was not ready in time"):
        await process.logged("ready", port=2, within_seconds=0.2)


async def test_a_process_that_ended_is_not_waited_for(fleet: Fleet) -> None:
    """The error has the end of its log."""
    process = await fleet.start("brief", module="child")

    with pytest.raises(ProcessFailed, match=r"(?s)brief ended with status 1:.*out of order"):
        await process.logged("another")


async def test_supervision_ends_with_its_work(fleet: Fleet) -> None:
    """And with what the work raises."""

    async def fail() -> None:
        raise ValueError("broken")

    await fleet.start("usual", module="child")

    assert await fleet.supervise(asyncio.Event(), asyncio.sleep(0)) is None
    with pytest.raises(ValueError, match="broken"):
        await fleet.supervise(asyncio.Event(), fail())


async def test_supervision_ends_with_a_process_that_ends_by_itself(fleet: Fleet) -> None:
    """One whose end was wanted does not count."""
    wanted = await fleet.start("usual", module="child")
    await wanted.kill()
    by_itself = await fleet.start("brief", module="child")

    assert await fleet.supervise(asyncio.Event(), forever()) is by_itself


async def test_supervision_ends_when_it_is_stopped(fleet: Fleet) -> None:
    """Effects of a signal; processes that then end have not ended by themselves."""
    await fleet.start("usual", module="child")
    stopped = asyncio.Event()
    stopped.set()

    assert await fleet.supervise(stopped, forever()) is None


async def test_all_are_ended_and_those_that_ignore_it_are_killed(fleet: Fleet) -> None:
    """The exit codes say which."""
    for verb in ("usual", "deaf", "usual"):
        await (await fleet.start(verb, module="child")).logged("ready")

    assert await fleet.stop(1) == [-signal.SIGTERM, -signal.SIGKILL, -signal.SIGTERM]
    assert [process.name for process in fleet.processes] == ["usual", "deaf", "usual-3"]
