"""Natural batches: what is asked for while a statement is under way goes with the next one.

Nobody waits for more to come: one who asks alone is answered by a statement of its own, at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Batches(Generic[Key, Value]):
    """Answers many callers by one statement at a time.

    A caller that is cancelled takes nobody with it. What the statement raises is raised to everybody of its
    batch; the next batch asks again.
    """

    def __init__(self, ask: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]], *, most: int) -> None:
        """`ask` answers a batch of at most `most` different keys."""
        self._ask: Final = ask
        self._most: Final = most
        self._waiting: Final[dict[Key, asyncio.Future[Value | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: Key) -> Value | None:
        """Return the answer for this key, as it is after this call; None: the statement knows it not."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._ask_all())
        return await asyncio.shield(answer)

    async def _ask_all(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._most]
                batch = {key: self._waiting.pop(key) for key in keys}
                await self._answer(batch)
        finally:
            self._task = None

    async def _answer(self, batch: Mapping[Key, "asyncio.Future[Value | None]"]) -> None:
        try:
            found = await self._ask(list(batch))
        except BaseException as error:
            for answer in batch.values():
                if isinstance(error, Exception):
                    answer.set_exception(error)
                    answer.exception()  # whoever waited may have left
                else:
                    answer.cancel()
            if not isinstance(error, Exception):
                raise
        else:
            for key, answer in batch.items():
                answer.set_result(found.get(key))
