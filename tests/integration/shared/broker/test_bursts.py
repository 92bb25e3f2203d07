"""Bursts: what is to be sent at one moment goes out in one write, and no promise of a single call is lost."""

import asyncio
from typing import Any

import pytest
from eventually import eventually
from running.broker_parts import BrokerParts, payment_id, payment_named_by
from wire.amqp_proxy import AmqpProxy

from shared.broker.consumer import QueueDelivery
from shared.broker.errors import NotAccepted, Unconfirmed
from shared.broker.interfaces import Delivery
from shared.broker.messages import PaymentMessage, ReplyMessage
from shared.broker.publisher import Publisher


def writes_of(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the list of the writes from now on."""
    queue, writes = publisher._bursts._channel.write_queue, []
    put = queue.put_nowait

    def remembering(frame: Any) -> None:
        writes.append(frame)
        put(frame)

    monkeypatch.setattr(queue, "put_nowait", remembering)
    return writes


async def delivered(parts: BrokerParts, publisher: Publisher, count: int) -> list[Delivery]:
    """Return as many unsettled deliveries of one consumer, in the broker's order."""
    taken: list[Delivery] = []
    for _ in range(count):
        await publisher.publish_payment(PaymentMessage(payment_id(), None))
    consumer = await parts.consumer()
    await consumer.start(taken.append)
    await eventually(lambda: len(taken) == count)
    return taken


async def come_again(parts: BrokerParts) -> list[str]:
    """Return the payments that another consumer gets."""
    taken: list[Delivery] = []
    other = await parts.consumer("w2")
    await other.start(taken.append)
    await eventually(lambda: taken)
    await other.stop()
    return [payment_named_by(delivery) for delivery in taken]


@pytest.mark.parametrize("given", [{"publish_concurrency": 100}])
async def test_publishes_of_one_moment_go_out_in_one_write_and_each_has_its_confirmation(
    parts: BrokerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are in the queue when the calls return."""
    publisher = await parts.publisher()
    writes = writes_of(publisher, monkeypatch)

    await asyncio.gather(*(publisher.publish_payment(PaymentMessage(payment_id(), None)) for _ in range(100)))

    assert len(writes) == 1
    await eventually(lambda: _has(parts, 100))


async def _has(parts: BrokerParts, count: int) -> bool:
    return await parts.waiting_in(parts.topology.payments) == count


@pytest.mark.parametrize("given", [{"publish_timeout_seconds": 0.3}])
async def test_a_publish_that_is_given_up_before_its_write_is_never_sent(
    parts: BrokerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """'Not accepted' is certain: the payment may be cancelled."""
    publisher = await parts.publisher()
    with monkeypatch.context() as broker_reads_nothing:
        broker_reads_nothing.setattr(publisher._bursts._channel.write_queue, "full", lambda: True)
        with pytest.raises(NotAccepted):
            await publisher.publish_payment(PaymentMessage(payment_id(), None))

    sent = payment_id()
    await publisher.publish_payment(PaymentMessage(sent, None))

    assert await come_again(parts) == [sent]


async def test_one_cancelled_publish_takes_no_other_of_its_burst_with_it(parts: BrokerParts) -> None:
    """The others are confirmed; the numbers of the confirmations stay right."""
    publisher = await parts.publisher()
    calls = [
        asyncio.create_task(publisher.publish_payment(PaymentMessage(payment_id(), None))) for _ in range(9)
    ]
    await asyncio.sleep(0)
    calls[4].cancel()

    results = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(result) for result in results].count(type(None)) == 8
    assert isinstance(results[4], asyncio.CancelledError)
    await publisher.publish_payment(PaymentMessage(payment_id(), None))


async def test_a_connection_lost_under_a_burst_leaves_all_of_it_unknown(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """Each caller is told so; none waits for ever."""
    publisher = await parts.publisher(url=proxy.url)
    proxy.freeze()
    calls = [
        asyncio.create_task(publisher.publish_payment(PaymentMessage(payment_id(), None))) for _ in range(20)
    ]
    await eventually(lambda: proxy.held_bytes)

    await proxy.cut()

    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {Unconfirmed}


@pytest.mark.parametrize("given", [{"session_limit": 10}])
async def test_a_gathered_acknowledgement_never_covers_a_payment_that_still_runs(parts: BrokerParts) -> None:
    """The one in the middle is still the worker's to give back, and it alone comes again."""
    publisher = await parts.publisher()
    taken = await delivered(parts, publisher, 6)
    running = taken[2]

    await asyncio.gather(*(delivery.ack() for delivery in taken if delivery is not running))
    await running.requeue()

    await eventually(lambda: len(taken) == 7)
    assert payment_named_by(taken[6]) == payment_named_by(running)


@pytest.mark.parametrize("given", [{"session_limit": 4}])
async def test_a_burst_of_all_ends_keeps_each_of_them(parts: BrokerParts) -> None:
    """One is rejected, the others are acknowledged, in one write."""
    publisher = await parts.publisher()
    taken = await delivered(parts, publisher, 4)

    await asyncio.gather(taken[0].ack(), taken[1].reject(), taken[2].ack(), taken[3].ack())

    await eventually(lambda: parts.waiting_in(parts.topology.dead_payments))
    assert await parts.waiting_in(parts.topology.dead_payments) == 1
    assert await parts.waiting_in(parts.topology.payments) == 0


@pytest.mark.parametrize("given", [{"session_limit": 10}])
async def test_settling_twice_harms_no_channel(parts: BrokerParts) -> None:
    """The broker would close it, and deliver all its payments again."""
    publisher = await parts.publisher()
    first, second, third = await delivered(parts, publisher, 3)

    await third.ack()
    await third.ack()
    await asyncio.gather(first.ack(), first.requeue(), second.ack(), second.ack())
    await third.reject()

    assert await parts.waiting_in(parts.topology.dead_payments) == 0
    assert isinstance(third, QueueDelivery)
    assert not third._bursts.channel.is_closed


async def test_replies_that_wait_for_the_same_process_go_in_one(
    parts: BrokerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request is woken once; what ends while a reply is under way goes with the next."""
    publisher, replies = await parts.publisher(), await parts.replies()
    woken: list[str] = []
    await replies.start(woken.append)
    sent: list[bytes] = []
    publish = publisher._bursts.publish

    def counting(queue: str, body: bytes, properties: Any) -> Any:
        sent.append(body)
        return publish(queue, body, properties)

    monkeypatch.setattr(publisher._bursts, "publish", counting)
    ids = [payment_id() for _ in range(250)]

    await asyncio.gather(*(publisher.reply(replies.name, ReplyMessage(one)) for one in ids))

    await eventually(lambda: len(woken) == 250)
    assert sorted(woken) == sorted(ids)
    assert len(sent) == 3
    assert publisher._replies._batches == {}


async def test_one_reply_that_fails_fails_in_all_that_it_names(parts: BrokerParts) -> None:
    """Each of them is counted as lost; replies to other processes are not held up."""
    publisher, replies = await parts.publisher(), await parts.replies()
    await replies.start(lambda _payment: None)
    gone = parts.topology.reply_queue("gone")

    results = await asyncio.gather(
        *(publisher.reply(gone, ReplyMessage(payment_id())) for _ in range(5)),
        publisher.reply(replies.name, ReplyMessage(payment_id())),
        return_exceptions=True,
    )

    assert [isinstance(result, NotAccepted) for result in results] == [True] * 5 + [False]
