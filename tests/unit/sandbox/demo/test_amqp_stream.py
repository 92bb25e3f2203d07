import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header

from sandbox.demo.amqp_stream import PROTOCOL_HEADER, MessageReader, WireMessage

BODY = b'{"v":1,"type":"payment"}'


def message(
    method: commands.Basic.Publish | commands.Basic.Deliver, content: bytes, channel: int = 1
) -> bytes:
    properties = commands.Basic.Properties(correlation_id="pay_1")
    parts = [method, header.ContentHeader(0, len(content), properties)]
    half = len(content) // 2
    bodies = [piece for piece in (content[:half], content[half:]) if piece]
    return b"".join(
        [frame.marshal(part, channel) for part in parts]
        + [frame.marshal(body.ContentBody(piece), channel) for piece in bodies]
    )


def publish(queue: str, content: bytes = BODY, channel: int = 1) -> bytes:
    return message(commands.Basic.Publish(exchange="", routing_key=queue), content, channel)


def deliver(queue: str, content: bytes = BODY) -> bytes:
    return message(commands.Basic.Deliver("worker.1", 7, False, "", queue), content)


NOISE = frame.marshal(commands.Basic.Ack(7), 1) + frame.marshal(commands.Queue.Declare(queue="payments"), 2)


def test_published_and_delivered_messages_are_seen_and_all_else_is_passed_over() -> None:
    """Protocol header, acknowledgements and other methods are no messages."""
    sent = PROTOCOL_HEADER + NOISE + publish("payments") + NOISE + deliver("reply.1") + NOISE

    assert MessageReader().feed(sent) == [WireMessage("payments", BODY), WireMessage("reply.1", BODY)]


@given(st.lists(st.integers(min_value=0, max_value=1000), max_size=12), st.booleans())
def test_any_cut_of_the_stream_gives_the_same_messages(cuts: list[int], is_client: bool) -> None:
    """TCP knows no frames."""
    stream = (PROTOCOL_HEADER if is_client else b"") + publish("payments") + NOISE + deliver("reply.1", b"{}")
    edges = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    reader = MessageReader()

    seen = [m for begin, end in itertools.pairwise(edges) for m in reader.feed(stream[begin:end])]

    assert seen == [WireMessage("payments", BODY), WireMessage("reply.1", b"{}")]


def test_a_message_without_a_body_is_whole_with_its_header() -> None:
    """No body frame follows where the body is empty."""
    assert MessageReader().feed(publish("payments", b"")) == [WireMessage("payments", b"")]


def test_messages_of_two_channels_may_be_interleaved() -> None:
    """Frames of one channel may stand between those of another."""
    first, second = publish("payments", b"one", channel=1), publish("reply.1", b"two", channel=2)
    begin_of_first = len(frame.marshal(commands.Basic.Publish(exchange="", routing_key="payments"), 1))

    seen = MessageReader().feed(first[:begin_of_first] + second + first[begin_of_first:])

    assert seen == [WireMessage("reply.1", b"two"), WireMessage("payments", b"one")]


def test_a_heartbeat_in_between_changes_nothing() -> None:
    """Heartbeats are frames of channel 0 without a payload."""
    heartbeat = struct.pack(">BHI", 8, 0, 0) + b"\xce"

    assert MessageReader().feed(heartbeat + publish("payments") + heartbeat) == [
        WireMessage("payments", BODY)
    ]
