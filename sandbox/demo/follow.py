"""Prints what passes while an order is paid, as soon as it is recorded."""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypeVar

from sandbox.demo.checks import Unexpected
from sandbox.demo.desk import Desk, Order
from sandbox.demo.show import Show
from sandbox.demo.steps import WORKER, Step, of_history, of_session, of_trace
from sandbox.tracing.steps import Step as TraceStep

Result = TypeVar("Result")

_TICK_SECONDS: Final = 0.1
#: A history's row has the time of its transaction's statement, and can be read some milliseconds later.
_SETTLED_MS: Final = 200
_SILENCE_MS: Final = 2000
#: For what follows the answer.
_AFTERWARDS_SECONDS: Final = 20.0


class Follower:
    """Prints one chapter's steps in the order of their times."""

    def __init__(self, desk: Desk, show: Show, workers: Mapping[str, str], *, is_brief: bool) -> None:
        self.begin_ms: Final = _now_ms()
        self.payment_id: str | None = None
        self._desk: Final = desk
        self._show: Final = show
        self._workers: Final = workers
        self._is_brief: Final = is_brief
        #: The payment's.
        self._worker = WORKER
        self._trace_number = desk.running.trace.last_number
        self._history_count = 0
        self._sessions: Final = {id(session) for session in desk.running.terminal.records}
        self._pending: list[Step] = []
        self._passed: Final[Counter[TraceStep]] = Counter()
        self._last_print_ms = self.begin_ms

    async def follow(
        self,
        work: Coroutine[Any, Any, Result],
        order: Order | None,
        wanted: Mapping[TraceStep, int],
    ) -> Result:
        """Print until `work` is done and each trace event of `wanted` came so often; return its result.

        order: whose payment's history is printed, too. Raises Unexpected.
        """
        task = asyncio.create_task(work)
        deadline: float | None = None
        try:
            while True:
                looked_at_ms = _now_ms()
                await self._gather(order)
                is_over = task.done() and all(self._passed[step] >= count for step, count in wanted.items())
                self._print(_now_ms() if is_over else looked_at_ms - _SETTLED_MS)
                if is_over:
                    return task.result()
                if task.done():
                    deadline = deadline or time.monotonic() + _AFTERWARDS_SECONDS
                    if time.monotonic() > deadline:
                        missing = [step for step, count in wanted.items() if self._passed[step] < count]
                        raise Unexpected(
                            f"not recorded within {_AFTERWARDS_SECONDS:g} s: {', '.join(missing)}"
                        )
                await asyncio.sleep(_TICK_SECONDS)
        finally:
            task.cancel()

    def note(self, text: str) -> None:
        """Print among the steps what the demo does now."""
        self._pending.append(Step(_now_ms(), 0, "", "", text))

    async def _gather(self, order: Order | None) -> None:
        if order is not None and self.payment_id is None:
            self.payment_id = await self._desk.payment_id(order)
        if self.payment_id is not None:
            history = await self._desk.api.events(self.payment_id)
            for event in history[self._history_count :]:
                step = of_history(event, self._workers)
                # A replayed payment's history is an earlier one.
                if step is not None and step.at_ms >= self.begin_ms:
                    self._pending.append(step)
            self._history_count = len(history)
        for trace_event in self._desk.running.trace.events(after=self._trace_number):
            self._trace_number = trace_event.number
            self._passed[trace_event.step] += 1
            step = of_trace(trace_event, is_brief=self._is_brief)
            self._pending += [] if step is None else [step]
        for session in self._desk.running.terminal.records:
            if session.closed_at_ms is not None and id(session) not in self._sessions:
                self._sessions.add(id(session))
                self._pending += of_session(session)

    def _print(self, until_ms: int) -> None:
        self._pending.sort(key=lambda step: (step.at_ms, step.rank))
        while self._pending and self._pending[0].at_ms <= until_ms:
            step = self._pending.pop(0)
            if step.begins_work:
                self._worker = step.sender
            self._last_print_ms = step.at_ms
            self._show.step(step.by_worker(self._worker), self.begin_ms)
        if until_ms - self._last_print_ms > _SILENCE_MS:
            self._show.waiting(until_ms - self.begin_ms)
            self._last_print_ms = until_ms


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
