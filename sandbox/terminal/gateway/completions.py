"""Queue of completions to the gateway, sent until acknowledged."""

import asyncio
from collections import deque
from typing import Final

import structlog

from sandbox.terminal.gateway.bodies import Body
from sandbox.terminal.gateway.link import Gateway, GatewayUnreachable

#: Seconds before each retry of the same completion; the last one repeats.
RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 15.0)
#: More than a day's payments; the oldest beyond that are dropped, and reach the gateway with the collection.
_LONGEST: Final = 10_000

_log = structlog.get_logger()


class CompletionQueue:
    """Completions that are sent one by one, in order, until `close`."""

    def __init__(self, gateway: Gateway | None) -> None:
        self._gateway = gateway
        self._waiting: deque[Body] = deque(maxlen=_LONGEST)
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, completion: Body) -> None:
        """Queue a completion; without a gateway it is dropped."""
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
                _log.warning("completion not acknowledged by the gateway", error=str(error))
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1
            else:
                tries = 0
                if self._waiting and self._waiting[0] is body:
                    self._waiting.popleft()

    def clear(self) -> None:
        """Drop all completions."""
        self._waiting.clear()

    async def close(self) -> None:
        """Stop sending."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
