"""The events of one payment arrive in their order."""

from typing import Any

from eventually import eventually
from payments import MERCHANT, in_doubt, prove, rows, with_merchant
from running.assembled import Api
from stored.deliveries import PATIENT, all_delivered
from system import System
from wire.endpoints import GivenEndpoint, add_endpoint
from wire.webhook_receiver import WebhookReceiver, receiving

from shared.payment.states import Event
from shared.storage.db.engine import Database
from shared.storage.webhooks import deliveries


async def started(system: System, hooks: WebhookReceiver) -> tuple[Api, GivenEndpoint]:
    """Return an API whose commits wake the notifier workers, and the endpoint of its merchant."""
    api = await system.api()
    await system.notifier(**PATIENT)
    await with_merchant(system.database)
    return api, await add_endpoint(system.database, system.settings, MERCHANT, hooks.url)


async def stored_deliveries(database: Database) -> list[Any]:
    return list(await rows(database, "SELECT * FROM deliveries ORDER BY sequence"))


def types(hooks: WebhookReceiver) -> list[tuple[str, int]]:
    return [(body["type"], body["sequence"]) for body in hooks.bodies()]


async def test_a_resolution_is_not_sent_before_its_doubt(system_on_both: System) -> None:
    """While the receiver has not answered the first event, the second waits; then it is sent at once."""
    system = system_on_both
    async with receiving() as hooks:
        api, endpoint = await started(system, hooks)
        hooks.goes_on.clear()
        doubted = await in_doubt(api.database)
        await hooks.heard(1)

        await prove(api.database, doubted.payment.id, Event.PROVED_DONE)
        _, second = await stored_deliveries(system.database)
        assert await deliveries.lease(system.database, [second.id], 1) == []
        assert await deliveries.lease_of_target(system.database, endpoint.id, 9, 1) == []
        assert types(hooks) == [("payment.in_doubt", 1)]

        hooks.goes_on.set()
        await hooks.heard(2)
        await eventually(lambda: all_delivered(system.database))
        assert types(hooks) == [("payment.in_doubt", 1), ("payment.resolved", 2)]
        assert hooks.bodies()[1]["state"] == "succeeded"
        # By the worker that stored the first one's result: the sweep was not needed.
        assert [row.publish_count for row in await stored_deliveries(system.database)] == [0, 0]


async def test_after_a_failed_first_try_the_later_one_goes_first(system: System) -> None:
    """A receiver that refuses one event still gets those after it; `sequence` shows the order."""
    async with receiving() as hooks:
        api, _ = await started(system, hooks)
        hooks.statuses, hooks.headers = [503], {"retry-after": "2"}
        hooks.goes_on.clear()
        doubted = await in_doubt(api.database)
        await hooks.heard(1)
        await prove(api.database, doubted.payment.id, Event.PROVED_DONE)

        hooks.goes_on.set()
        await hooks.heard(3)
        await eventually(lambda: all_delivered(system.database))

        assert types(hooks) == [("payment.in_doubt", 1), ("payment.resolved", 2), ("payment.in_doubt", 1)]


async def test_a_hanging_payment_does_not_delay_another_ones_events(system: System) -> None:
    """The order is within a payment."""
    async with receiving() as hooks:
        api, _ = await started(system, hooks)
        hooks.goes_on.clear()
        first = await in_doubt(api.database)
        await prove(api.database, first.payment.id, Event.PROVED_DONE)
        await in_doubt(api.database, order_id="another", host="127.0.0.8", terminal_address="127.0.0.8:8888")

        await hooks.heard(2)

        assert types(hooks) == [("payment.in_doubt", 1)] * 2
        assert len({body["payment_id"] for body in hooks.bodies()}) == 2
