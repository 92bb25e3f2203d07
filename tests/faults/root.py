"""Root of the fault tests: one of the product's processes, with a fault at a named step.

`python -m tests.faults.root terminal-worker after_write SIGKILL` runs the product's composition root with
the settings of the environment, as the command does. Where it reaches the step for the first time, the
process sends itself the signal. SIGUSR1 is no fault: the process waits at the step until a test sends it.
"""

import asyncio
import importlib
import json
import os
import signal
import sys
from functools import partial
from typing import Final

from cli.process import run_process

FAULT_LINE: Final = "the fault is now"
WAITING_LINE: Final = "waiting at the step"
GO_ON: Final = signal.SIGUSR1
_ROOTS: Final = {
    "api": "api.main",
    "terminal-worker": "terminal_worker.main",
    "notifier-worker": "notifier_worker.main",
}


class Strike:
    """Failpoint at which the process is killed or stopped."""

    def __init__(self, step: str, number: signal.Signals) -> None:
        self._step = step
        self._number = number
        self._is_over = False

    async def __call__(self, step: str) -> None:
        if self._is_over or step != self._step:
            return
        self._is_over = True
        if step == "after_write":
            # The bytes leave in the event loop's next rounds.
            for _ in range(3):
                await asyncio.sleep(0)
        _log(FAULT_LINE, step)
        os.kill(os.getpid(), self._number)


class Wait:
    """Failpoint at which the process waits for SIGUSR1; what runs beside the step goes on."""

    def __init__(self, step: str) -> None:
        self._step = step

    async def __call__(self, step: str) -> None:
        if step != self._step:
            return
        released = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(GO_ON, released.set)
        _log(WAITING_LINE, step)
        await released.wait()


def _log(event: str, step: str) -> None:
    """Write a log line and flush it."""
    sys.stdout.write(json.dumps({"event": event, "step": step}) + "\n")
    sys.stdout.flush()


def main(verb: str, step: str, signal_name: str) -> None:
    number = signal.Signals[signal_name]
    failpoint = Wait(step) if number is GO_ON else Strike(step, number)
    root = importlib.import_module(_ROOTS[verb])
    run_process(root.PROCESS, partial(root.run, failpoint=failpoint))


if __name__ == "__main__":
    main(*sys.argv[1:])
