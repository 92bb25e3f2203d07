"""Calls that go together: what comes while a batch is under way goes into the next one.

A call that comes alone is a batch of its own at once: nothing waits for more to come.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Lanes(Generic[Item, Result]):
    """Batches of calls, one after the other; one that hangs keeps the next one waiting for a moment only.

    The cancellation of one caller does not affect the others. An error of a batch is raised in each of its
    callers.
    """

    def __init__(
        self,
        run_together: Callable[[Sequence[Item], bool], Awaitable[Sequence[Result]]],
        *,
        most: int,
        lanes: int,
        patience_seconds: float,
        context: contextvars.Context,
    ) -> None:
        """`run_together` returns a result for each of at most `most` items, in their order.

        Up to `lanes` batches are under way at once: the next one begins once all others are older than
        `patience_seconds`, and `run_together` is told that it runs beside one that hangs. They log with the
        variables of `context`, not with those of one caller.
        """
        self._run_together: Final = run_together
        self._most: Final = most
        self._lanes: Final = lanes
        self._patience_seconds: Final = patience_seconds
        self._context: Final = context
        self._waiting: Final[dict[asyncio.Future[Result], Item]] = {}
        #: What is under way, with the results that callers wait for.
        self._batches: Final[dict[asyncio.Task[None], set[asyncio.Future[Result]]]] = {}
        #: The batch that began last, while it is younger than the patience.
        self._young: asyncio.Task[None] | None = None

    async def run(self, item: Item) -> Result:
        """Return the item's result.

        A cancelled caller's item is not begun any more. Where it is under way, the caller waits for its end
        all the same, so that nothing is carried out for a caller that is gone; a batch that nobody waits for
        is cancelled.
        """
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[result] = item
        self._begin()
        try:
            return await asyncio.shield(result)
        except asyncio.CancelledError:
            if self._waiting.pop(result, None) is None:
                self._give_up(result)
                await asyncio.wait([result])
            raise

    async def drain(self) -> None:
        """Wait for what is under way, also of callers that were cancelled twice."""
        while self._batches:
            await asyncio.wait(self._batches)

    def _give_up(self, result: "asyncio.Future[Result]") -> None:
        for batch, results in self._batches.items():
            if result in results:
                results.discard(result)
                if not results:
                    batch.cancel()

    def _begin(self) -> None:
        """Begin a batch of what waits, unless one is young or all lanes are taken."""
        if not self._waiting or self._young is not None or len(self._batches) >= self._lanes:
            return
        # It takes what waits when it starts: all that came in this turn of the event loop.
        batch = self._young = asyncio.create_task(self._run_batch(bool(self._batches)), context=self._context)
        self._batches[batch] = set()
        patience = asyncio.get_running_loop().call_later(self._patience_seconds, self._grow_old, batch)
        batch.add_done_callback(lambda _: self._end(batch, patience))

    def _grow_old(self, batch: "asyncio.Task[None]") -> None:
        if self._young is batch:
            self._young = None
            self._begin()

    def _end(self, batch: "asyncio.Task[None]", patience: asyncio.TimerHandle) -> None:
        patience.cancel()
        del self._batches[batch]
        self._grow_old(batch)
        self._begin()

    async def _run_batch(self, is_beside: bool) -> None:
        results = list(self._waiting)[: self._most]
        items = [self._waiting.pop(result) for result in results]
        batch = asyncio.current_task()
        assert batch is not None, "it runs as a task"
        self._batches[batch].update(results)
        try:
            found = await self._run_together(items, is_beside) if items else []
        except BaseException as error:
            for result in results:
                _fail(result, error)
            if not isinstance(error, Exception):
                raise
        else:
            for result, value in zip(results, found, strict=True):
                result.set_result(value)


def _fail(result: "asyncio.Future[Result]", error: BaseException) -> None:
    if isinstance(error, Exception):
        result.set_exception(error)
        result.exception()  # retrieved here, since the caller may have been cancelled
    else:
        result.cancel()
