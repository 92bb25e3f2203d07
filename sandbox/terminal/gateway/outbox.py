"""Completions on their way to the gateway: told again until it has heard of each."""

import asyncio
from collections import deque
from typing import Final

import structlog

from sandbox.terminal.gateway.bodies import Body
from sandbox.terminal.gateway.link import Gateway, GatewayUnreachable

#: Seconds before each next try of the same completion; the last one repeats.
RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 15.0)
#: More than a day's payments: what is beyond is dropped, the oldest first, and travels with the collection.
_LONGEST: Final = 10_000

_log = structlog.get_logger()


class Outbox:
    """Sends one after the other, in order; `close` ends it, whatever is left."""

    def __init__(self, gateway: Gateway | None) -> None:
        self._gateway = gateway
        self._waiting: deque[Body] = deque(maxlen=_LONGEST)
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, completion: Body) -> None:
        """Tell the gateway as soon as it hears; without a gateway there is nobody to tell."""
        if self._gateway is None:
            return
        self._waiting.append(completion)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(self._gateway), name="completions")

    async def _send_all(self, gateway: Gateway) -> None:
        tries = 0
        while self._waiting:
            body = self._waiting[0]
            try:
                await gateway.complete(body)
            except GatewayUnreachable as error:
                _log.warning("completion not told", error=str(error))
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1
            else:
                tries = 0
                if self._waiting and self._waiting[0] is body:
                    self._waiting.popleft()

    def clear(self) -> None:
        """Forget what was not told."""
        self._waiting.clear()

    async def close(self) -> None:
        """End the sending."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
