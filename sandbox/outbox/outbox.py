"""Sends messages until they are acknowledged: a task each, a schedule of retries, faults by script."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from sandbox.outbox.attempt_result import Attempt, AttemptResult, Decision
from sandbox.outbox.faults import Faults
from shared.runtime.clock import Clock

#: Older messages are forgotten; so many sandbox payments are more than anybody reads.
KEPT_MESSAGES: Final = 10_000
#: So many are under way at once.
CONCURRENT_SENDS: Final = 8
#: Seconds before each retry; the last one repeats until somebody acknowledges.
RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

Content = TypeVar("Content")


@dataclass(slots=True, eq=False)
class Message(Generic[Content]):
    """Something to be sent, and how that went."""

    content: Content
    created_at_ms: int
    attempts: list[Attempt] = field(default_factory=list)
    #: How it ended; None while it is still tried.
    ended: Decision | None = None


class Outbox(Generic[Content]):
    """Messages of one kind. Used as a context manager: leaving it ends what is under way."""

    def __init__(
        self,
        send: Callable[[Content], Awaitable[AttemptResult]],
        clock: Clock,
        *,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        """send: one try. retry_seconds: before each retry; the last one repeats."""
        assert retry_seconds
        self._send: Final = send
        self._clock: Final = clock
        self._retry_seconds: Final = tuple(retry_seconds)
        self._slots: Final = asyncio.Semaphore(CONCURRENT_SENDS)
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._faults = Faults()
        self._drops_left = 0
        self._held: asyncio.Event | None = None
        self.messages: Final[deque[Message[Content]]] = deque(maxlen=KEPT_MESSAGES)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cancel()

    @property
    def faults(self) -> Faults:
        """What is scripted now."""
        return self._faults.model_copy(update={"drop_first": self._drops_left})

    def script(self, faults: Faults) -> None:
        """Play these faults from now on; messages under way keep the delay they began with."""
        self._faults = faults
        self._drops_left = faults.drop_first

    def put(self, content: Content) -> Message[Content]:
        """Send it, from now on and until it is acknowledged."""
        message = Message(content, self._clock.wall_ms())
        self.messages.append(message)
        self._start(self._deliver(message, self._faults))
        return message

    def send_again(self, message: Message[Content]) -> None:
        """Send an ended message once more."""
        self._start(self._try(message))

    async def reset(self) -> None:
        """Forget all messages and faults."""
        await self._cancel()
        self.messages.clear()
        self._held = None
        self.script(Faults())

    async def _deliver(self, message: Message[Content], faults: Faults) -> None:
        if faults.delay_seconds:
            await asyncio.sleep(faults.delay_seconds)
        overtaken = await self._take_turn(faults)
        retries = 0
        while True:
            await self._try(message)
            if overtaken is not None:
                overtaken.set()
            if message.ended is not None:
                break
            await asyncio.sleep(self._retry_seconds[min(retries, len(self._retry_seconds) - 1)])
            retries += 1
        if faults.double and message.ended is Decision.ACKNOWLEDGED:
            await self._try(message)

    async def _take_turn(self, faults: Faults) -> asyncio.Event | None:
        """Wait to be overtaken where that is scripted; return what is to be set by one that overtakes."""
        if not faults.reorder:
            return None
        if self._held is not None:
            overtaken, self._held = self._held, None
            return overtaken
        self._held = held = asyncio.Event()
        try:
            async with asyncio.timeout(faults.hold_seconds):
                await held.wait()
        except TimeoutError:
            if self._held is held:
                self._held = None
        return None

    async def _try(self, message: Message[Content]) -> None:
        if self._drops_left:
            self._drops_left -= 1
            outcome = AttemptResult(Decision.AGAIN, None, "lost on the way, by script")
        else:
            async with self._slots:
                outcome = await self._send(message.content)
        message.attempts.append(Attempt(self._clock.wall_ms(), outcome))
        if outcome.verdict is not Decision.AGAIN:
            message.ended = outcome.verdict

    def _start(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
