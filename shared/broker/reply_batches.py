"""One reply a reply queue and batch: what ends while a reply is under way goes with the next one."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from shared.broker.messages import MOST_OF_A_REPLY, ReplyMessage
from shared.runtime.batching import Batches


class ReplyBatches:
    """The replies of this process, by reply queue; one to each queue is under way at a time."""

    def __init__(self, publish: Callable[[str, ReplyMessage], Awaitable[None]]) -> None:
        """`publish` sends one reply to a reply queue; its error is raised in all that the reply names."""
        self._publish: Final = publish
        self._batches: Final[dict[str, Batches[str, None]]] = {}

    async def reply(self, reply_to: str, message: ReplyMessage) -> None:
        """Send a reply, alone or with others; raise as `publish` does."""
        batches = self._batches.get(reply_to)
        if batches is None:
            batches = Batches(partial(self._send, reply_to), most=MOST_OF_A_REPLY)
            self._batches[reply_to] = batches
        try:
            await batches.get(message.payment_id)
        finally:
            # API processes come and go: their queues' names are not kept.
            if batches.is_idle and self._batches.get(reply_to) is batches:
                del self._batches[reply_to]

    async def _send(self, reply_to: str, ids: Sequence[str]) -> Mapping[str, None]:
        first, *more = ids
        await self._publish(reply_to, ReplyMessage(first, tuple(more)))
        return {}
