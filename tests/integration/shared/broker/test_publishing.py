"""After a publish the broker has the message, or the error says what is certain."""

import asyncio
import time

import aiormq
import pytest
from eventually import eventually
from running.broker_parts import BrokerParts, is_ready, payment_id
from wire.amqp_proxy import AmqpProxy

from shared.broker.connections import connected
from shared.broker.errors import BrokerUnavailable, NotAccepted, NotRouted, Unconfirmed
from shared.broker.messages import PaymentMessage, ReplyMessage, decode_work
from shared.metrics.metrics import Metrics
from shared.settings.load import load_settings

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def failures(metrics: Metrics, kind: str) -> float | None:
    return metrics.registry.get_sample_value("cloud_terminal_publish_failures_total", {"kind": kind})


async def test_a_published_payment_is_in_the_queue_persistent_with_its_id_and_trace(
    parts: BrokerParts, amqp_url: str, amqp_prefix: str
) -> None:
    """The call returns after the broker has the message on disk."""
    publisher = await parts.publisher()
    message = PaymentMessage(payment_id(), amqp_prefix + "reply.a1")

    await publisher.publish_payment(message, traceparent=TRACE)

    raw = await aiormq.connect(amqp_url)
    got = await (await raw.channel()).basic_get(parts.topology.payments, no_ack=True)
    await raw.close()
    properties = got.header.properties
    assert decode_work(got.body) == message
    assert (properties.delivery_mode, properties.correlation_id) == (2, message.payment_id)
    assert (properties.headers or {})["traceparent"] == TRACE


async def test_a_payment_without_a_queue_is_not_routed(parts: BrokerParts) -> None:
    """A broker that has lost its queues loses no message silently."""
    publisher = await parts.publisher(declare=False)

    with pytest.raises(NotRouted, match=r"payments"):
        await publisher.publish_payment(PaymentMessage(payment_id(), None))
    assert failures(parts.metrics, "not_routed") == 1


async def test_a_reply_to_a_process_that_has_ended_is_not_routed(parts: BrokerParts) -> None:
    """Its exclusive queue ended with it; the reply is returned."""
    publisher = await parts.publisher()

    with pytest.raises(NotRouted):
        await publisher.reply(parts.topology.reply_queue("gone"), ReplyMessage(payment_id()))
    with pytest.raises(NotRouted, match="not a reply queue"):
        await publisher.reply(parts.topology.payments, ReplyMessage(payment_id()))
    assert await parts.waiting_in(parts.topology.payments) == 0


async def test_unroutable_and_good_messages_at_once_are_told_apart(parts: BrokerParts) -> None:
    """Returned messages are matched by message id: each failure is raised in its own call."""
    publisher = await parts.publisher()
    same = payment_id()

    results = await asyncio.gather(
        *(
            publisher.publish_payment(PaymentMessage(same, None))
            if n % 2
            else publisher.reply(parts.topology.reply_queue("gone"), ReplyMessage(same))
            for n in range(200)
        ),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [NotRouted, type(None)] * 100
    await eventually(lambda: parts.waiting_in(parts.topology.payments))
    assert await parts.waiting_in(parts.topology.payments) == 100


async def test_a_refused_message_is_not_accepted(parts: BrokerParts, amqp_url: str) -> None:
    """The broker's nack says that the message is in no queue."""
    publisher = await parts.publisher()
    reply_to = parts.topology.reply_queue("full")
    raw = await aiormq.connect(amqp_url)
    await (await raw.channel()).queue_declare(
        reply_to, durable=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"}
    )

    with pytest.raises(NotAccepted) as caught:
        await publisher.reply(reply_to, ReplyMessage(payment_id()))

    await (await raw.channel()).queue_delete(reply_to)
    await raw.close()
    assert not isinstance(caught.value, NotRouted)
    assert failures(parts.metrics, "not_accepted") == 1


async def test_while_the_broker_is_unavailable_a_publish_fails_at_once_and_for_certain(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """The client gets a clear answer at once, and publishing resumes by itself."""
    publisher = await parts.publisher(url=proxy.url)
    await proxy.cut()
    await eventually(publisher.ready)

    began = time.monotonic()
    with pytest.raises(NotAccepted):
        await publisher.publish_payment(PaymentMessage(payment_id(), None))
    assert time.monotonic() - began < 2

    await proxy.mend()
    await eventually(lambda: is_ready(publisher))
    await publisher.publish_payment(PaymentMessage(payment_id(), None))


@pytest.mark.parametrize("given", [{"publish_timeout_seconds": 0.3}])
async def test_a_missing_confirmation_is_an_unknown_outcome_after_our_own_time_out(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """A broker that accepts the message and is silent (alarm, queue without a leader) blocks no caller."""
    publisher = await parts.publisher(url=proxy.url)
    proxy.freeze()

    with pytest.raises(Unconfirmed):
        await publisher.publish_payment(PaymentMessage(payment_id(), None))
    assert failures(parts.metrics, "unknown") == 1


async def test_a_connection_lost_while_the_confirmation_is_awaited_is_an_unknown_outcome(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """A lost confirmation does not say that the message was refused."""
    publisher = await parts.publisher(url=proxy.url)
    proxy.freeze()
    publish = asyncio.create_task(publisher.publish_payment(PaymentMessage(payment_id(), None)))
    await eventually(lambda: proxy.held_bytes)

    await proxy.cut()

    with pytest.raises(Unconfirmed):
        await publish


async def test_a_channel_that_an_error_closed_is_opened_again_for_the_next_publish(
    parts: BrokerParts, amqp_prefix: str
) -> None:
    """One failed call does not stop the payments after it."""
    publisher = await parts.publisher()
    underlay = await publisher._channel.get_underlay_channel()
    with pytest.raises(aiormq.exceptions.ChannelNotFoundEntity):
        await underlay.queue_declare(amqp_prefix + "nowhere", passive=True)

    await publisher.publish_payment(PaymentMessage(payment_id(), None))


async def test_a_cancelled_publish_stays_a_cancellation(parts: BrokerParts, proxy: AmqpProxy) -> None:
    """A cancelled caller gets no error of the broker."""
    publisher = await parts.publisher(url=proxy.url)
    proxy.freeze()
    publish = asyncio.create_task(publisher.publish_payment(PaymentMessage(payment_id(), None)))
    await eventually(lambda: proxy.held_bytes)

    publish.cancel()

    with pytest.raises(asyncio.CancelledError):
        await publish


async def test_a_broker_that_cannot_be_reached_is_named_without_its_password(unused_tcp_port: int) -> None:
    """The first connection fails fast, with host and port."""
    settings = load_settings(amqp_url=f"amqp://user:hunter2@127.0.0.1:{unused_tcp_port}/")

    with pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{unused_tcp_port}") as caught:
        async with connected(settings, process="test", purpose="publish"):
            pytest.fail("there is nobody")
    assert "hunter2" not in str(caught.value)
