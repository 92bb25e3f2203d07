"""Unreadable messages and deliveries that fail in a statement: the other notifications go on."""

import json
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import aiormq
import pytest
from eventually import eventually
from stored.deliveries import PATIENT, all_delivered, hearing
from system import System
from wire.webhook_receiver import receiving

from notifier_worker.relay import MOST_OF_TARGET
from shared.broker.connections import topology_of
from shared.storage.db.engine import Database
from shared.storage.webhooks import deliveries


async def _publish_raw(system: System, queue: str, body: bytes) -> None:
    connection = await aiormq.connect(system.settings.require_amqp_url())
    try:
        await (await connection.channel()).basic_publish(body, routing_key=queue)
    finally:
        await connection.close()


@pytest.mark.parametrize("delivery_id", ["\ud800", "dlv_\x00", "x" * 3000])
async def test_a_forged_notification_is_dead_lettered_and_the_others_go_on(
    system: System, delivery_id: str
) -> None:
    """Once it ended every notifier worker, one after the other."""
    topology = topology_of(system.settings)
    notifier = await system.notifier(**PATIENT)
    async with receiving() as hooks:
        merchant = await hearing(system, hooks.url)
        forged = {"v": 1, "type": "notification", "kind": "merchant", "target": merchant.endpoint.id}

        await _publish_raw(
            system,
            topology.notifications("merchant"),
            json.dumps({**forged, "delivery_id": delivery_id}).encode(),
        )
        await eventually(lambda: notifier.metric("dead_letters_total") == 1)
        await merchant.wait(3)
        await hooks.heard(3)

        await eventually(lambda: all_delivered(system.database))


async def test_a_delivery_that_cannot_be_leased_or_stored_affects_no_other(system: System) -> None:
    """Its batch is processed one by one, without it."""
    lease, record = deliveries.lease, deliveries.record
    bad: set[str] = set()

    async def failing_lease(database: Database, ids: Sequence[str], *more: Any) -> Any:
        bad.update(list(ids)[:1] if not bad else ())
        if bad & set(ids):
            raise ValueError("a row that no statement takes")
        return await lease(database, ids, *more)

    async def failing_record(database: Database, tried: Sequence[Any], **more: Any) -> None:
        if len(tried) > 1:
            raise ValueError("a result that no statement takes")
        await record(database, tried, **more)

    with patch.object(deliveries, "lease", failing_lease), patch.object(deliveries, "record", failing_record):
        await system.notifier(**PATIENT)
        async with receiving() as hooks:
            merchant = await hearing(system, hooks.url)
            # Fewer than a sweep publishes for a target, so that each is leased by its message.
            await merchant.wait(MOST_OF_TARGET - 1)
            await hooks.heard(MOST_OF_TARGET - 2)
            heard = {each.headers["webhook-id"] for each in hooks.received}

            assert len(heard) == MOST_OF_TARGET - 2
            assert not heard & bad
