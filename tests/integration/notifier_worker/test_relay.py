"""A lost wake-up loses no delivery, and none is sent twice while no worker dies."""

import asyncio
import os
from typing import Any

import aiormq
from eventually import eventually
from payments import MERCHANT, change, refused, rows, with_merchant
from running.assembled import Notifier
from stored.deliveries import all_delivered, all_published_late, attempts, delivery, hearing
from system import System
from wire.amqp_proxy import AmqpProxy
from wire.endpoints import add_endpoint
from wire.webhook_receiver import receiving

from shared.broker.connections import connected
from shared.broker.messages import NotificationMessage
from shared.broker.publisher import Publisher
from shared.metrics.metrics import Metrics
from shared.storage.webhooks.endpoints import send_test
from shared.storage.webhooks.outbox import RELAY_GRACE_MS


def is_idle(notifier: Notifier) -> bool:
    return notifier.metric("notifications_under_way", kind="merchant") == 0


async def test_an_unpublished_delivery_is_published_by_the_sweep(system_on_both: System) -> None:
    """As after a process died right after its commit: the sweep waits for it first."""
    system = system_on_both
    await system.notifier()
    await with_merchant(system.database)
    async with receiving() as hooks:
        await add_endpoint(system.database, system.settings, MERCHANT, hooks.url)
        await refused(system.database)
        (row,) = await system.all_of("deliveries")
        assert (row.publish_at - row.created_at, row.publish_count) == (RELAY_GRACE_MS, 0)

        await all_published_late(system.database)

        (received,) = await hooks.heard(1)
        assert received.json["type"] == "payment.refused"
        await eventually(lambda: all_delivered(system.database))


async def test_a_broker_that_is_unavailable_at_the_commit_loses_nothing(
    way: AmqpProxy, system: System
) -> None:
    """The transaction does not depend on it; the sweep of any notifier worker publishes."""
    await system.notifier()
    async with receiving() as hooks:
        api = await system.api(amqp_url=way.url)
        merchant = await hearing(system, hooks.url)
        await way.cut()

        delivery_id = await send_test(api.database, merchant.merchant_id, merchant.endpoint.id)
        assert delivery_id is not None
        await eventually(lambda: api.metric("publish_failures_total", kind="not_accepted") == 1)
        assert (await delivery(system.database, delivery_id)).state == "waiting"
        await way.mend()

        await all_published_late(system.database)
        (received,) = await hooks.heard(1)
        assert received.headers["webhook-id"] == delivery_id


async def test_after_a_long_outage_of_the_broker_everything_is_sent_at_once(
    way: AmqpProxy, system: System
) -> None:
    """The pause before the next publish does not grow with the outage."""
    async with receiving() as hooks:
        notifier = await system.notifier(amqp_url=way.url)
        merchant = await hearing(system, hooks.url)
        await way.cut()
        (one,) = await merchant.wait()

        await eventually(lambda: notifier.metric("publish_failures_total", kind="not_accepted") >= 4)
        assert (await delivery(system.database, one)).publish_count <= 1

        await way.mend()
        await hooks.heard(1, seconds=8)
        await eventually(lambda: all_delivered(system.database))


async def test_two_workers_share_the_work_and_nothing_is_sent_twice(system_on_both: System) -> None:
    """The worker with the lease sends a delivery, however many messages it has."""
    system = system_on_both
    both = [await system.notifier() for _ in range(2)]
    async with receiving() as hooks:
        merchant = await hearing(system, hooks.url)

        ids = await merchant.wait(60)
        await hooks.heard(60)
        await eventually(lambda: all_delivered(system.database))
        await eventually(lambda: all(is_idle(notifier) for notifier in both))

        assert sorted(each.headers["webhook-id"] for each in hooks.received) == sorted(ids)
        sent = [notifier.metric("notifications_sent_total", kind="merchant") for notifier in both]
        assert sum(sent) == 60


async def test_many_messages_about_one_delivery_are_one_attempt_and_no_slot_is_lost(system: System) -> None:
    """A message may come twice, also in one batch; each is acknowledged."""
    notifier = await system.notifier(notify_endpoint_concurrency=4, notify_merchant_concurrency=8)
    async with (
        receiving() as hooks,
        connected(system.settings, process="test", purpose="publish") as connection,
    ):
        merchant = await hearing(system, hooks.url)
        publisher = await Publisher.open(
            connection,
            system.topology,
            settings=system.settings,
            random_bytes=os.urandom,
            metrics=Metrics("test"),
        )
        for number in range(1, 4):
            (one,) = await merchant.wait()
            message = NotificationMessage("merchant", one, merchant.endpoint.id)
            await asyncio.gather(*(publisher.publish_notification(message) for _ in range(30)))
            await hooks.heard(number)
        await eventually(lambda: all_delivered(system.database))
        await eventually(lambda: is_idle(notifier))

        assert len(hooks.received) == 3
        await eventually(lambda: left_in(system, system.topology.notifications("merchant"), 0))


async def test_one_message_that_names_more_brings_all_that_is_due_for_the_target(system: System) -> None:
    """A sweep publishes a few messages for each target; the worker reads the others from the database."""
    await system.notifier(notify_endpoint_concurrency=2, notify_sweep_interval_seconds=3600)
    async with (
        receiving() as hooks,
        connected(system.settings, process="test", purpose="publish") as connection,
    ):
        merchant = await hearing(system, hooks.url)
        publisher = await Publisher.open(
            connection,
            system.topology,
            settings=system.settings,
            random_bytes=os.urandom,
            metrics=Metrics("test"),
        )
        ids = await merchant.wait(12)
        message = NotificationMessage("merchant", ids[5], merchant.endpoint.id, more=True)
        await publisher.publish_notification(message)
        await hooks.heard(12)

        assert sorted(each.headers["webhook-id"] for each in hooks.received) == sorted(ids)


async def test_a_result_that_is_later_than_its_lease_changes_nothing(system_on_both: System) -> None:
    """Another worker sends the delivery again, with the same id; the late result is ignored."""
    system = system_on_both
    goes_on, stalled = asyncio.Event(), asyncio.Event()

    async def stall(step: str) -> None:
        if step == "sent":
            stalled.set()
            await goes_on.wait()

    limits: dict[str, Any] = {
        "notify_timeout_seconds": 1,
        "notify_connect_timeout_seconds": 1,
        "notify_lease_seconds": 1.2,
    }
    slow = await system.notifier(failpoint=stall, **limits)
    async with receiving() as hooks:
        hooks.statuses = [500, 200]
        (one,) = await (await hearing(system, hooks.url)).wait()
        await stalled.wait()
        await slow.parts.merchant.drain(0)  # it takes nothing else either

        await system.notifier()
        await eventually(lambda: lease_is_over(system, one))
        await all_published_late(system.database)
        received = await hooks.heard(2)
        await eventually(lambda: all_delivered(system.database))
        before = await delivery(system.database, one)
        goes_on.set()
        await eventually(lambda: is_idle(slow))

        assert {each.headers["webhook-id"] for each in received} == {one}
        assert await delivery(system.database, one) == before
        assert [row.status for row in await attempts(system.database, one)] == [200]


async def lease_is_over(system: System, delivery_id: str) -> bool:
    (row,) = await rows(
        system.database,
        "SELECT leased_until <= {now} AS is_over FROM deliveries WHERE id = :id",
        id=delivery_id,
    )
    return bool(row.is_over)


async def test_an_unreadable_message_is_dead_lettered(system: System) -> None:
    """An operator can look at it; the next one is not delayed."""
    notifier = await system.notifier()
    aside = system.topology.dead_notifications
    raw = await aiormq.connect(system.settings.require_amqp_url())
    channel = await raw.channel()
    await channel.queue_purge(aside)
    async with receiving() as hooks:
        merchant = await hearing(system, hooks.url)

        await channel.basic_publish(b"\xff{", routing_key=system.topology.notifications("merchant"))
        await merchant.wait()

        await hooks.heard(1)
        await eventually(lambda: left_in(system, aside, 1))
    assert notifier.metric("dead_letters_total") == 1
    await channel.queue_purge(aside)
    await raw.close()


async def left_in(system: System, queue: str, number: int) -> bool:
    """Return True if this number of messages waits in the queue."""
    raw = await aiormq.connect(system.settings.require_amqp_url())
    declared = await (await raw.channel()).queue_declare(queue, passive=True)
    await raw.close()
    return declared.message_count == number


async def test_a_paused_target_gets_its_deliveries_after_its_pause(system: System) -> None:
    """From the sweep, since its messages were acknowledged long ago."""
    await system.notifier()
    async with receiving() as hooks:
        merchant = await hearing(system, hooks.url)
        await change(
            system.database,
            "INSERT INTO delivery_targets (id, failures, paused_until) VALUES (:id, 9, {now} + 60000)",
            id=merchant.endpoint.id,
        )
        await merchant.wait(3)
        other = await hearing(system, hooks.url)
        await other.wait()
        await hooks.heard(1)
        assert len(hooks.received) == 1

        await change(system.database, "UPDATE delivery_targets SET paused_until = {now}")

        await hooks.heard(4)
        await eventually(lambda: all_delivered(system.database))
