"""Notifications of an accepted order: the endpoint that it names, and HiPay where its URL is set."""

from databases import Store
from orders import order_on
from payments import rows
from running.api_alone import ApiAlone, api_alone
from wire.webhooks import ENDPOINTS, cancelled_payment, deliveries_of, registered, stored

from shared.notification.kinds import order_notification
from shared.storage.webhooks import delivery_contents


async def test_an_order_may_name_the_only_endpoint_that_hears_of_it(api: ApiAlone) -> None:
    """Unknown or another merchant's: 400, nothing is stored. Disabled: a warning, and nobody hears."""
    pos, other = await api.merchant(), await api.merchant()
    named, unnamed = await registered(pos), await registered(pos)
    foreign = await registered(other)

    for unknown in (foreign["id"], "whe_01JNK4T0V8W9A4C6Q2Y3ZB5XDE", "x"):
        refused = await pos.order(webhook_endpoint_id=unknown)
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert error["code"] == "unknown.webhook_endpoint.bad.request"
        assert error["details"] == {"path": "order.webhook_endpoint_id"}
    assert await rows(api.database, "SELECT id FROM payments") == []

    payment_id = await cancelled_payment(pos, webhook_endpoint_id=named["id"])
    (delivery,) = await deliveries_of(pos)
    assert (delivery["endpoint_id"], delivery["payment_id"]) == (named["id"], payment_id)

    await pos.client.patch(f"{ENDPOINTS}/{named['id']}", json={"disabled": True})
    payment_id = await cancelled_payment(pos, webhook_endpoint_id=named["id"])
    shown = (await pos.get(f"/v1/payments/{payment_id}")).json()["payment"]
    assert shown["warnings"] == ["webhook_endpoint_disabled"]
    assert await deliveries_of(pos, payment=payment_id) == []
    assert await deliveries_of(pos, endpoint=unnamed["id"]) == []


async def test_hipay_is_told_of_an_order_where_its_address_is_set(store: Store) -> None:
    """By a delivery of its own kind, written with the payment; without the setting there is none.

    It hears of the terminal that is really meant, with what its entry says.
    """
    hipay = {"hipay_url": "https://127.0.0.1/orders", "hipay_signing_secret": "whsec_" + "A" * 32}
    async with api_alone(store, **hipay) as api:
        pos = await api.merchant()
        payment_id = await pos.order_async()

        row = await stored(api, f"dlv_{payment_id.removeprefix('pay_')}_hipay")
        assert (row.kind, row.type, row.state, row.payment_id) == ("hipay", "order", "waiting", payment_id)

        entry = {
            "host": "127.0.0.11",
            "port": 8889,
            "pos_number": "07",
            "authorisation": {"policy": "always"},
        }
        assert (await pos.client.put("/v1/terminals/till-1", json=entry)).status_code == 201
        answered = await pos.post("/v1/connector/order", order_on("till-1"), prefer="respond-async")
        assert answered.status_code == 202, answered.text
        payment_id = answered.json()["payment"]["id"]
        payment, attempt = (await delivery_contents.orders(api.database, [payment_id]))[payment_id]
        assert order_notification("dlv_1", payment, attempt)["terminal"] == {
            "host": "127.0.0.11",
            "port": 8889,
            "pos_number": "07",
            "force_authorization": True,
        }

    async with api_alone(store) as api:
        pos = await api.merchant()
        await pos.order_async(host="127.0.0.10")
        assert len(await rows(api.database, "SELECT id FROM deliveries")) == 2
