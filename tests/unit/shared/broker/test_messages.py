"""Messages are readable by every release; anything else is a named error, never a crash."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.broker.errors import UnreadableMessage
from shared.broker.messages import (
    MOST_OF_A_REPLY,
    NotificationMessage,
    PaymentMessage,
    ProbeMessage,
    ReplyMessage,
    decode_notification,
    decode_reply,
    decode_work,
    encode_notification,
    encode_payment,
    encode_probe,
    encode_reply,
    properties_of,
    trace_of,
)
from shared.tracing.context import TraceContext

PAYMENT_ID = "pay_01JDKQ5V7Z3M9N8P2R4S6T0WXY"
PROBE_ID = "prb_01JDKQ5V7Z3M9N8P2R4S6T0WXY"


@pytest.mark.parametrize("reply_to", [None, "reply.0123456789abcdef", "é.reply.x"])
def test_a_payment_message_is_decoded_as_it_was(reply_to: str | None) -> None:
    """Encoding and decoding are each other's reverse."""
    message = PaymentMessage(PAYMENT_ID, reply_to)

    assert decode_work(encode_payment(message)) == message


def test_a_reply_is_decoded_as_it_was() -> None:
    """Encoding and decoding are each other's reverse."""
    assert decode_reply(encode_reply(ReplyMessage(PAYMENT_ID))) == ReplyMessage(PAYMENT_ID)


def test_a_reply_names_as_many_payments_and_probes_as_one_message_may_have() -> None:
    """The most that a batch has fit into the longest body."""
    reply = ReplyMessage(PAYMENT_ID, (PROBE_ID,) * (MOST_OF_A_REPLY - 1))

    assert decode_reply(encode_reply(reply)) == reply
    assert decode_reply(encode_reply(reply)).ids == (PAYMENT_ID, *(PROBE_ID,) * (MOST_OF_A_REPLY - 1))


@pytest.mark.parametrize("more", ["null", "{}", '"x"', "[7]", '["x"]', f'["{PAYMENT_ID}",null]'])
def test_a_reply_with_a_malformed_list_is_unreadable(more: str) -> None:
    """Nothing but ids of ours is looked up."""
    with pytest.raises(UnreadableMessage, match="more is malformed"):
        decode_reply(
            b'{"v":1,"type":"reply","payment_id":"%s","more":%s}' % (PAYMENT_ID.encode(), more.encode())
        )


@pytest.mark.parametrize("message", [ProbeMessage(PROBE_ID, "reply.a1"), PaymentMessage(PAYMENT_ID, None)])
def test_the_workers_queue_carries_payments_and_probes(message: PaymentMessage | ProbeMessage) -> None:
    """Each is decoded as what it was; a reply may be about either."""
    body = encode_probe(message) if isinstance(message, ProbeMessage) else encode_payment(message)

    assert decode_work(body) == message
    assert decode_reply(encode_reply(ReplyMessage(message.id))) == ReplyMessage(message.id)


def test_recorded_probes_stay_readable() -> None:
    """Bodies as the first release with probes wrote them."""
    recorded = b'{"v":1,"type":"probe","probe_id":"%s","reply_to":"reply.a1"}' % PROBE_ID.encode()

    assert decode_work(recorded) == ProbeMessage(PROBE_ID, "reply.a1")
    assert encode_probe(ProbeMessage(PROBE_ID, "reply.a1")) == recorded


@pytest.mark.parametrize("probe_id", [b'""', b'"pay_01JDKQ5V7Z3M9N8P2R4S6T0WXY"', b"7", b"null"])
def test_a_probe_without_its_id_is_named(probe_id: bytes) -> None:
    """One named error."""
    with pytest.raises(UnreadableMessage):
        decode_work(b'{"v":1,"type":"probe","probe_id":%s,"reply_to":null}' % probe_id)


def test_recorded_messages_stay_readable() -> None:
    """Bodies of the first release, which may wait in a queue during an upgrade."""
    recorded = b'{"v":1,"type":"payment","payment_id":"%s","reply_to":"reply.a1"}' % PAYMENT_ID.encode()

    assert decode_work(recorded) == PaymentMessage(PAYMENT_ID, "reply.a1")
    assert encode_payment(PaymentMessage(PAYMENT_ID, "reply.a1")) == recorded
    assert decode_reply(b'{"v":1,"type":"reply","payment_id":"%s"}' % PAYMENT_ID.encode()) == ReplyMessage(
        PAYMENT_ID
    )


def test_members_of_a_later_release_are_ignored() -> None:
    """Workers are upgraded one after the other."""
    body = b'{"v":1,"type":"payment","payment_id":"%s","reply_to":null,"hint":[1]}' % PAYMENT_ID.encode()

    assert decode_work(body) == PaymentMessage(PAYMENT_ID, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 3000,
        b'{"v":2,"type":"payment"}',
        b'{"v":1,"type":"reply","payment_id":"pay_01JDKQ5V7Z3M9N8P2R4S6T0WXY"}',
        b'{"v":1,"type":"payment"}',
        b'{"v":1,"type":"payment","payment_id":7}',
        b'{"v":1,"type":"payment","payment_id":"pay_1"}',
        b'{"v":1,"type":"payment","payment_id":"pay_01JDKQ5V7Z3M9N8P2R4S6T0WXY","reply_to":""}',
        b'{"v":1,"type":"payment","payment_id":"pay_01JDKQ5V7Z3M9N8P2R4S6T0WXY","reply_to":7}',
        b'{"v":1,"type":"payment","payment_id":"pay_01JDKQ5V7Z3M9N8P2R4S6T0WXY","reply_to":"\\ud800"}',
        b'{"v":1,"type":"payment","payment_id":"pay_01JDKQ5V7Z3M9N8P2R4S6T0WXY"}' + b" " * 5000,
    ],
)
def test_any_other_body_is_unreadable(body: bytes) -> None:
    """Foreign, newer, cut, empty or huge: one named error."""
    with pytest.raises(UnreadableMessage):
        decode_work(body)


@pytest.mark.parametrize("more", [False, True])
def test_a_notification_says_if_more_is_due(more: bool) -> None:
    """A message of another release, without it, is about one delivery."""
    message = NotificationMessage("hipay", "dlv_1_hipay", "hipay", more)

    assert decode_notification(encode_notification(message)) == message
    assert (b"more" in encode_notification(message)) == more


@pytest.mark.parametrize("name", ["kind", "delivery_id", "target"])
@pytest.mark.parametrize("value", ["\ud800", "\x00", "", "a b", "x" * 200, "é", None, 7, ["hipay"]])
def test_a_notification_whose_ids_have_no_form_of_ours_is_unreadable(name: str, value: object) -> None:
    """No query is made with a text that the database cannot represent."""
    given = {"kind": "hipay", "delivery_id": "dlv_1_hipay", "target": "hipay"}
    body = json.dumps({"v": 1, "type": "notification", **given}).encode()
    assert decode_notification(body) == NotificationMessage("hipay", "dlv_1_hipay", "hipay")

    with pytest.raises(UnreadableMessage):
        decode_notification(json.dumps({"v": 1, "type": "notification", **given, name: value}).encode())
    with pytest.raises(UnreadableMessage):
        decode_notification(json.dumps({"v": 1, "type": "notification", **given, "more": 1}).encode())


@given(st.binary(max_size=300))
def test_garbage_is_never_a_crash(body: bytes) -> None:
    """Any bytes give a message or the named error."""
    for decode in (decode_notification, decode_reply, decode_work):
        with pytest.raises(UnreadableMessage):
            decode(body)


def test_a_message_is_persistent_and_carries_the_payments_id() -> None:
    """A broker restart loses nothing, and an operator finds a message by the payment."""
    properties = properties_of(message_id="m1", about=PAYMENT_ID, trace=None)

    assert properties.delivery_mode == 2
    assert (properties.message_id, properties.correlation_id) == ("m1", PAYMENT_ID)
    assert not properties.headers


def test_the_trace_context_is_passed_through_and_only_a_well_formed_one_read() -> None:
    """A header in another form is ignored."""
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    trace = TraceContext(parent, "vendor=x")
    properties = properties_of(message_id="m1", about=PAYMENT_ID, trace=trace)

    assert trace_of(properties.headers or {}) == trace
    assert trace_of({"traceparent": parent.encode(), "tracestate": b"vendor=x"}) == trace
    for wrong in ({}, {"traceparent": "x"}, {"traceparent": 7}, {"traceparent": parent.upper()}):
        assert trace_of(wrong) is None
