"""A merchant who registers webhook endpoints, and what is stored for them."""

from typing import Any

from payments import change, rows
from running.api_alone import ApiAlone, Caller

from shared.storage.db.engine import Database

ENDPOINTS = "/v1/webhooks/endpoints"
DELIVERIES = "/v1/webhooks/deliveries"
URL = "http://127.0.0.1:9/hooks"

#: Settings of an installation that posts to the machine's own receivers.
LOCAL: dict[str, Any] = {"notify_allow_http": True, "notify_allowed_networks": ["127.0.0.0/8"]}


async def registered(client: Caller, **members: Any) -> dict[str, Any]:
    """Register an endpoint; return what is answered, the secret with it."""
    answered = await client.post(ENDPOINTS, {"url": URL, **members})
    assert answered.status_code == 201, answered.text
    shown: dict[str, Any] = answered.json()
    return shown


async def cancelled_payment(client: Caller, **order: Any) -> str:
    """Cause one event: accept and cancel a payment; return its id."""
    payment_id = await client.order_async(**order)
    answered = await client.post(f"/v1/payments/{payment_id}/cancel")
    assert answered.status_code == 200, answered.text
    return payment_id


async def deliveries_of(client: Caller, **query: str) -> list[dict[str, Any]]:
    """Return one page of the merchant's deliveries."""
    answered = await client.get(DELIVERIES, **query)
    assert answered.status_code == 200, answered.text
    found: list[dict[str, Any]] = answered.json()["deliveries"]
    return found


async def end(database: Database, delivery_id: str, state: str, reason: str | None = None) -> None:
    """End a delivery after an attempt, as a notifier worker stores it."""
    assert await change(
        database,
        "UPDATE deliveries SET state = :state, reason = :reason, tries = 3, tried_at = {now},"
        " ended_at = {now}, leased_until = NULL WHERE id = :id",
        id=delivery_id,
        state=state,
        reason=reason,
    )


async def stored(api: ApiAlone, delivery_id: str) -> Any:
    """Return the delivery's row; assert that there is one only."""
    (row,) = await rows(api.database, "SELECT * FROM deliveries WHERE id = :id", id=delivery_id)
    return row
