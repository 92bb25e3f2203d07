"""A slow or broken target delays no other."""

import os
from typing import Any

import pytest
from eventually import eventually
from payments import change, rows
from stored.deliveries import PATIENT, all_delivered, hearing
from system import System
from wire.endpoints import add_endpoint
from wire.shop_terminal import shop_terminal
from wire.webhook_receiver import receiving

from shared.security.credentials import new_webhook_secret


@pytest.mark.parametrize("hangs", ["hipay", "merchant"])
async def test_hipay_and_merchants_do_not_wait_for_each_other(system: System, hangs: str) -> None:
    """Neither delays the other, or the POS, however long it hangs."""
    async with receiving() as hipay, receiving() as hooks, shop_terminal() as shop:
        secret = new_webhook_secret(os.urandom)
        hipay_settings: dict[str, Any] = {"hipay_url": hipay.url, "hipay_signing_secret": secret}
        pos = await system.pos(await system.api(**hipay_settings))
        await system.worker()
        await system.notifier(
            **hipay_settings, **PATIENT, notify_hipay_concurrency=1, notify_merchant_concurrency=1
        )
        await add_endpoint(system.database, system.settings, pos.login.merchant_id, hooks.url)
        slow, quick = (hipay, hooks) if hangs == "hipay" else (hooks, hipay)
        slow.goes_on.clear()

        for _ in range(3):
            assert (await pos.pay(shop.host)).status_code == 200
        await quick.heard(3)
        await slow.heard(1)
        assert len(slow.received) == 1

        slow.goes_on.set()
        await slow.heard(3)
        await eventually(lambda: all_delivered(system.database))


async def test_a_hanging_endpoint_keeps_its_slots_and_others_get_theirs(system: System) -> None:
    """Two slots each here; when it answers again it gets everything."""
    notifier = await system.notifier(**PATIENT, notify_endpoint_concurrency=2, notify_merchant_concurrency=16)
    async with receiving() as hung, receiving() as other:
        hung.goes_on.clear()
        hanging, working = await hearing(system, hung.url), await hearing(system, other.url)
        await hanging.wait(10)
        await hung.heard(2)

        await working.wait(10)
        await other.heard(10)
        assert len(hung.received) == 2

        hung.goes_on.set()
        await hung.heard(10)
        await eventually(lambda: all_delivered(system.database))
        await eventually(lambda: notifier.metric("notifications_under_way", kind="merchant") == 0)
        assert len({each.headers["webhook-id"] for each in hung.received}) == len(hung.received) == 10


async def test_a_failing_target_is_paused_then_tried_one_at_a_time(system: System) -> None:
    """During the pause nothing is sent there; after one success all waiting deliveries are."""
    notifier = await system.notifier(
        **PATIENT, notify_retry_seconds=(0.05,), notify_breaker_failures=3, notify_breaker_seconds=1
    )
    async with receiving() as hooks:
        hooks.statuses = [500] * 3
        merchant = await hearing(system, hooks.url)
        await merchant.wait()
        (target,) = await eventually(lambda: paused(system))
        hooks.goes_on.clear()
        await merchant.wait(8)

        await hooks.heard(4)
        (now,) = await rows(system.database, "SELECT {now} AS at")
        assert now.at >= target.paused_until
        await eventually(lambda: all_published(system))
        assert len(hooks.received) == 4
        assert notifier.metric("notifications_under_way", kind="merchant") == 1

        hooks.goes_on.set()
        await eventually(lambda: all_delivered(system.database))
        assert len(hooks.received) == 3 + 9
        assert await system.all_of("delivery_targets") == []


async def paused(system: System) -> list[Any]:
    return [row for row in await system.all_of("delivery_targets") if row.paused_until]


async def all_published(system: System) -> bool:
    return all(row.publish_count or row.lease for row in await system.all_of("deliveries"))


async def test_thousands_of_waiting_deliveries_delay_no_other_target(system: System) -> None:
    """5,000 of a paused endpoint and 1,000 of a hanging one; the sweep publishes a part of each."""
    notifier = await system.notifier(**PATIENT)
    async with receiving() as hooks, receiving() as hung, receiving() as other:
        left_alone, hanging = await hearing(system, hooks.url), await hearing(system, hung.url)
        working = await hearing(system, other.url)
        await change(
            system.database,
            "INSERT INTO delivery_targets (id, failures, paused_until) VALUES (:id, 9, {now} + 600000)",
            id=left_alone.endpoint.id,
        )
        hung.goes_on.clear()
        await left_alone.wait(5000)
        await hanging.wait(1000)
        await hung.heard(16)

        for number in range(1, 6):
            await working.wait()
            await other.heard(number)

        assert hooks.received == []
        assert len(hung.received) == 16
        assert notifier.metric("notifications_under_way", kind="merchant") <= 17
