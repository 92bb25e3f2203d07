"""Outbox that sends messages until they are acknowledged: a task each, scheduled retries, scripted faults."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field

from shared.runtime.clock import Clock


class Decision(StrEnum):
    """The sender's next step after an attempt."""

    ACKNOWLEDGED = "acknowledged"
    #: Sent again after a while.
    RETRY = "retry"
    #: Never sent again: the receiver will never accept it.
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The receiver's answer; `status` is None where there was none."""

    decision: Decision
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, at `at_ms` (Unix time)."""

    at_ms: int
    result: AttemptResult


async def post(http: httpx.AsyncClient, url: str, *, timeout_seconds: float, **request: Any) -> AttemptResult:
    """Send a POST request; 2xx acknowledges, everything else is to be retried.

    request: httpx's json, content, headers, auth.
    """
    try:
        answer = await http.post(url, timeout=timeout_seconds, **request)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return AttemptResult(Decision.RETRY, None, str(error) or type(error).__name__)
    decision = Decision.ACKNOWLEDGED if answer.is_success else Decision.RETRY
    return AttemptResult(decision, answer.status_code, answer.text[:200])


class Faults(BaseModel):
    """The body of `POST /script` of a system that pushes; a field that is left out causes no fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Every message is sent so much later.
    delay_seconds: float = Field(default=0.0, ge=0, le=3600)
    #: Every message is sent once more after it was acknowledged.
    double: bool = False
    #: Of every two messages the second is sent first.
    reorder: bool = False
    #: With `reorder`: how long a message waits for the next one at most.
    hold_seconds: float = Field(default=5.0, ge=0, le=3600)
    #: So many attempts from now on send nothing; the message is retried.
    drop_first: int = Field(default=0, ge=0, le=10_000)


#: Older messages are dropped.
KEPT_MESSAGES: Final = 10_000
#: Attempts at the same time.
CONCURRENT_SENDS: Final = 8
#: Seconds before each retry; the last one repeats until the message is acknowledged.
RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

Content = TypeVar("Content")


@dataclass(slots=True, eq=False)
class Message(Generic[Content]):
    """A message with its attempts."""

    content: Content
    created_at_ms: int
    attempts: list[Attempt] = field(default_factory=list)
    #: The last attempt's decision; None while it is retried.
    ended: Decision | None = None


class Outbox(Generic[Content]):
    """Messages of one kind; a context manager that cancels unfinished attempts when it is left."""

    def __init__(
        self,
        send: Callable[[Content], Awaitable[AttemptResult]],
        clock: Clock,
        *,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        """send: makes one attempt. retry_seconds: pause before each retry; the last one repeats."""
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
        """Return the faults as they are scripted now."""
        return self._faults.model_copy(update={"drop_first": self._drops_left})

    def script(self, faults: Faults) -> None:
        """Apply these faults to messages from now on."""
        self._faults = faults
        self._drops_left = faults.drop_first

    def put(self, content: Content) -> Message[Content]:
        """Send the content until it is acknowledged."""
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
        """Wait to be overtaken, where scripted; return the event of the message that this one overtakes."""
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
            result = AttemptResult(Decision.RETRY, None, "dropped by script")
        else:
            async with self._slots:
                result = await self._send(message.content)
        message.attempts.append(Attempt(self._clock.wall_ms(), result))
        if result.decision is not Decision.RETRY:
            message.ended = result.decision

    def _start(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
