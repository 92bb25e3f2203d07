"""End of a history: whatever still runs is cancelled inside its own loop, and leaves nothing behind."""

import asyncio
from collections.abc import Iterable

from tests.simulation.engine.loop import SimulatedLoop
from tests.simulation.model.processes.process import Process

#: Some tasks wait once more after a cancellation: for a connection's close, for a task of their own.
_ROUNDS = 20
_ROUND_SECONDS = 60.0


def end_all(loop: SimulatedLoop, processes: Iterable[Process]) -> int:
    """Cancel every task, those of dead and paused processes too; return how many did not end.

    Call it after the judgement, with the database unavailable: cancelled code may still try to store.
    """
    for process in processes:
        process.let_go()
    for _ in range(_ROUNDS):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks, timeout=_ROUND_SECONDS))
    loop.run_until_complete(loop.shutdown_asyncgens())
    return len(asyncio.all_tasks(loop))
