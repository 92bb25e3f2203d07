"""Publishes and settlements that go out in bursts: all of one turn of the event loop in one write.

The client library takes a task, a lock and a write for each frame. Its channel is used here below those
calls: the frames of a burst are one entry of its write queue, and each confirmation is a future in its table
of confirmations, as its own publish does it. Everything else (reading, confirmations, returned messages,
heartbeats, closing) stays the library's. A burst belongs to one channel and ends with it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import aiormq
import pamqp.frame
from aiormq.abc import ChannelFrame, FrameType
from aiormq.exceptions import ChannelInvalidStateError
from pamqp import commands as spec
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

#: Pause before the next try while the client's write queue is full, that is, while the broker reads nothing.
FULL_SECONDS: Final = 0.01


class PendingPublish:
    """One publish. `confirmation` ends with the broker's answer; cancel it to withdraw an unsent one."""

    __slots__ = ("confirmation", "frames", "is_sent", "message_id")

    def __init__(self, message_id: str, frames: bytes, confirmation: "asyncio.Future[object]") -> None:
        self.message_id: Final = message_id
        self.frames: Final = frames
        self.confirmation: Final = confirmation
        #: Until then the message is certainly in no queue.
        self.is_sent = False


class _Writes:
    """Writes to one channel: `fill` gives the next burst's frames; one is under way at a time."""

    def __init__(self, channel: aiormq.Channel, fill: Callable[[], bytes]) -> None:
        self._channel: Final = channel
        self._fill: Final = fill
        self._next: asyncio.Future[None] | None = None
        self._under_way: asyncio.Future[None] | None = None

    def soon(self) -> "asyncio.Future[None]":
        """Write after this turn of the event loop, or once the burst that is under way is written.

        The returned future ends with that write, or with the channel; it is shared, so shield it.
        """
        if self._next is None:
            self._next = self._channel.create_future()
            if self._under_way is None:
                asyncio.get_running_loop().call_soon(self._write)
        return self._next

    def _write(self) -> None:
        if self._next is None or self._channel.is_closed:
            # A closed channel has failed everything that waits.
            return
        if self._channel.write_queue.full():
            asyncio.get_running_loop().call_later(FULL_SECONDS, self._write)
            return
        self._under_way, self._next = self._next, None
        self._under_way.add_done_callback(self._on_written)
        self._channel.write_queue.put_nowait(
            ChannelFrame(payload=self._fill(), should_close=False, drain_future=self._under_way)
        )

    def _on_written(self, _written: object) -> None:
        self._under_way = None
        self._write()


class PublishBursts:
    """The publishes of one channel with confirmations; nothing else publishes on it.

    The broker counts the messages of a channel, so they are numbered in the order of their writes.
    """

    def __init__(self, channel: aiormq.Channel) -> None:
        self._channel: Final = channel
        self._waiting: list[PendingPublish] = []
        self._writes: Final = _Writes(channel, self._burst)

    @property
    def is_closed(self) -> bool:
        return self._channel.is_closed

    def publish(self, queue: str, body: bytes, properties: spec.Basic.Properties) -> PendingPublish:
        """Send a message with this burst; raise ChannelInvalidStateError where the channel is closed.

        `properties` has a message id, by which returned messages are found.
        """
        if self._channel.is_closed:
            raise ChannelInvalidStateError("the channel is closed")
        message_id = properties.message_id
        assert message_id is not None, "every message of ours has an id"
        size = self._channel.max_content_size
        frames = _marshalled(
            self._channel,
            spec.Basic.Publish(routing_key=queue, mandatory=True),
            ContentHeader(body_size=len(body), properties=properties),
            *(ContentBody(body[start : start + size]) for start in range(0, len(body), size)),
        )
        pending = PendingPublish(message_id, frames, self._channel.create_future())
        self._waiting.append(pending)
        self._writes.soon()
        return pending

    def _burst(self) -> bytes:
        burst = [pending for pending in self._waiting if not pending.confirmation.done()]
        self._waiting.clear()
        for pending in burst:
            self._number(pending)
        return b"".join(pending.frames for pending in burst)

    def _number(self, pending: PendingPublish) -> None:
        pending.is_sent = True
        channel, message_id = self._channel, pending.message_id
        channel.delivery_tag += 1
        channel.confirmations[channel.delivery_tag] = pending.confirmation
        channel.message_id_delivery_tag[message_id] = channel.delivery_tag
        pending.confirmation.add_done_callback(
            lambda _: channel.message_id_delivery_tag.pop(message_id, None)
        )


class SettlementBursts:
    """The acknowledgements, requeues and rejections of one consuming channel.

    The broker numbers the deliveries of a channel from 1. Where all up to a number have been settled, one
    acknowledgement `multiple` says so; it never covers one that still runs, nor one that was not seen here.
    """

    def __init__(self, channel: aiormq.Channel) -> None:
        self.channel: Final = channel
        self._acked: list[int] = []
        self._refused: list[FrameType] = []
        #: All deliveries up to this number are settled, and of later ones these.
        self._settled_up_to = 0
        self._settled: Final[set[int]] = set()
        self._writes: Final = _Writes(channel, self._burst)

    async def ack(self, tag: int) -> None:
        """Acknowledge a delivery; return once it is written. Raises ChannelInvalidStateError."""
        if self._is_first(tag):
            self._acked.append(tag)
            await self._until_written()

    async def requeue(self, tag: int) -> None:
        """Give a delivery back, by a nack; return once it is written. Raises ChannelInvalidStateError."""
        if self._is_first(tag):
            self._refused.append(spec.Basic.Nack(delivery_tag=tag, requeue=True))
            await self._until_written()

    async def reject(self, tag: int) -> None:
        """Dead-letter a delivery; return once it is written. Raises ChannelInvalidStateError."""
        if self._is_first(tag):
            self._refused.append(spec.Basic.Reject(delivery_tag=tag, requeue=False))
            await self._until_written()

    def _is_first(self, tag: int) -> bool:
        """Settle a delivery once: the broker closes a channel that settles one twice."""
        if self.channel.is_closed:
            raise ChannelInvalidStateError("the channel is closed")
        if tag <= self._settled_up_to or tag in self._settled:
            return False
        self._settled.add(tag)
        return True

    async def _until_written(self) -> None:
        try:
            # Shared with the burst's other deliveries.
            await asyncio.shield(self._writes.soon())
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The client cancels waiting writes when a connection is closed.
            raise ChannelInvalidStateError("the channel was closed before the write") from error

    def _burst(self) -> bytes:
        # A refusal goes before an acknowledgement that may cover its number.
        frames = [*self._refused, *self._acknowledgements()]
        self._refused.clear()
        return _marshalled(self.channel, *frames)

    def _acknowledgements(self) -> list[FrameType]:
        while self._settled_up_to + 1 in self._settled:
            self._settled_up_to += 1
            self._settled.discard(self._settled_up_to)
        covered = [tag for tag in self._acked if tag <= self._settled_up_to]
        single = [tag for tag in self._acked if tag > self._settled_up_to]
        self._acked.clear()
        frames: list[FrameType] = [spec.Basic.Ack(delivery_tag=tag) for tag in single]
        if covered:
            # The last of these, since the broker refuses a number that it has settled already.
            frames.append(spec.Basic.Ack(delivery_tag=max(covered), multiple=len(covered) > 1))
        return frames


def _marshalled(channel: aiormq.Channel, *frames: FrameType | ContentBody) -> bytes:
    return b"".join(pamqp.frame.marshal(frame, channel.number) for frame in frames)
