"""Deliveries over HTTP: lists, one delivery, replays; never a second one for the same destination."""

import asyncio
from typing import Any

import pytest
from payments import change, rows
from running.api_alone import ApiAlone, Caller, on_sqlite
from wire.webhooks import (
    DELIVERIES,
    ENDPOINTS,
    LOCAL,
    cancelled_payment,
    deliveries_of,
    end,
    registered,
    stored,
)

from api.webhooks.delivery_models import AnyDeliveryWithAttempts, Delivery, DeliveryWithAttempts
from shared.security.credentials import CredentialKind
from shared.storage.db.engine import WakeUp
from shared.storage.webhooks import deliveries, delivery_sweep, replays
from shared.storage.webhooks.deliveries import Attempt, AttemptResult, Breaker, Delivered
from shared.storage.webhooks.delivery_list import DeliveryFilter

HIPAY: dict[str, Any] = {
    "hipay_url": "https://127.0.0.1/orders",
    "hipay_signing_secret": "whsec_" + "A" * 32,
}
OPERATORS = "/v1/operator/deliveries"
LONG_AGO = "2020-01-01T00:00:00Z"


def wake_ups_of(api: ApiAlone) -> list[WakeUp]:
    """Return the list that receives every wake-up of a notifier worker."""
    wake_ups: list[WakeUp] = []
    api.database.on_committed = wake_ups.extend
    return wake_ups


async def delivery_of(pos: Caller) -> tuple[dict[str, Any], dict[str, Any]]:
    """Register an endpoint and let one event happen; return the endpoint and its delivery."""
    endpoint = await registered(pos)
    await cancelled_payment(pos)
    (delivery,) = await deliveries_of(pos, endpoint=endpoint["id"])
    return endpoint, delivery


async def test_deliveries_are_filtered_and_listed_page_by_page(api: ApiAlone, pos: Caller) -> None:
    """The newest comes first, each comes once; an unknown filter is refused."""
    all_types = await registered(pos)
    await registered(pos, types=["payment.refused"])
    payments = [await cancelled_payment(pos) for _ in range(5)]
    await pos.post(f"{ENDPOINTS}/{all_types['id']}/test")

    seen: list[dict[str, Any]] = []
    query, page = {"limit": "2"}, {}
    for _ in range(3):
        page = (await pos.get(DELIVERIES, **query)).json()
        seen += page["deliveries"]
        query["cursor"] = page.get("next", "")
    assert "next" not in page
    assert len({one["id"] for one in seen}) == 6
    assert [one["created_at"] for one in seen] == sorted((one["created_at"] for one in seen), reverse=True)
    assert all(one.keys() <= Delivery.model_fields.keys() for one in seen)

    (one,) = await deliveries_of(pos, payment=payments[2])
    await end(api.database, one["id"], "dead", "gave_up")
    assert [each["id"] for each in await deliveries_of(pos, state="dead")] == [one["id"]]
    assert len(await deliveries_of(pos, type="payment.cancelled")) == 5
    assert len(await deliveries_of(pos, type="endpoint.test")) == 1
    assert len(await deliveries_of(pos, endpoint=all_types["id"])) == 6
    assert len(await deliveries_of(pos, **{"from": LONG_AGO})) == 6
    assert await deliveries_of(pos, to=LONG_AGO) == []
    for wrong in ({"staet": "dead"}, {"state": "gone"}, {"kind": "hipay"}, {"from": "yesterday"}):
        assert (await pos.get(DELIVERIES, **wrong)).status_code == 400


async def test_a_delivery_is_shown_with_its_event_and_its_attempts(api: ApiAlone, pos: Caller) -> None:
    """An attempt shows status, duration, and the answer with its card numbers masked."""
    _, delivery = await delivery_of(pos)
    (leased,) = await deliveries.lease(api.database, [delivery["id"]], 30)
    answer = Attempt(12, 200, None, "ok 4970101234567890", "https://127.0.0.1/new")
    tried = AttemptResult(leased, answer, Delivered())
    await deliveries.record(api.database, [tried], breaker=Breaker(5, 10))

    shown = (await pos.get(f"{DELIVERIES}/{delivery['id']}")).json()

    assert shown.keys() <= DeliveryWithAttempts.model_fields.keys()
    assert (shown["state"], shown["tries"]) == ("delivered", 1)
    (attempt,) = shown["attempts"]
    assert (attempt["duration_ms"], attempt["status"]) == (12, 200)
    assert attempt["answer"] == "ok 497010******7890"
    assert attempt["location"] == "https://127.0.0.1/new"
    assert "error" not in attempt
    assert shown["event"]["type"] == "payment.cancelled"
    assert shown["event"]["event_id"] == shown["event_id"]
    assert shown["event"]["payment_id"] == shown["payment_id"]


@pytest.mark.parametrize("state", ["delivered", "dead"])
async def test_a_replay_is_the_same_delivery_once_more(api: ApiAlone, pos: Caller, state: str) -> None:
    """A replay starts anew and blocks no later delivery; a second request changes nothing."""
    _, delivery = await delivery_of(pos)
    await end(api.database, delivery["id"], state, "gave_up" if state == "dead" else None)
    await change(api.database, "UPDATE deliveries SET since_at = 0, due_at = 0, lease = 7")
    before = await stored(api, delivery["id"])
    wake_ups = wake_ups_of(api)

    answers = [await pos.post(f"{DELIVERIES}/{delivery['id']}/replay") for _ in range(3)]

    assert [answered.status_code for answered in answers] == [202] * 3
    assert answers[0].json()["state"] == "waiting"
    row = await stored(api, delivery["id"])
    assert (row.state, row.reason, row.tries, row.ended_at) == ("waiting", None, 0, None)
    assert row.tried_at == before.tried_at
    assert row.since_at > before.ended_at - 1000
    assert row.due_at >= row.since_at
    assert row.publish_at >= row.due_at
    assert row.lease == 8, "a late result of its earlier attempts changes nothing"
    assert len(await rows(api.database, "SELECT id FROM deliveries")) == 1
    assert set(wake_ups) == {WakeUp("merchant", delivery["id"], delivery["endpoint_id"])}
    assert len(await deliveries.lease(api.database, [delivery["id"]] * 3, 30)) == 1


async def test_replays_at_the_same_moment_are_one(api: ApiAlone, pos: Caller) -> None:
    """Twenty requests for one delivery leave one row, which one worker leases."""
    _, delivery = await delivery_of(pos)
    await end(api.database, delivery["id"], "dead", "gave_up")
    body = {"state": "dead", "from": LONG_AGO}

    one = [pos.post(f"{DELIVERIES}/{delivery['id']}/replay") for _ in range(10)]
    many = [pos.post(f"{DELIVERIES}/replay", body) for _ in range(10)]
    answers = await asyncio.gather(*one, *many)

    assert {answered.status_code for answered in answers} == {202, 200}
    assert (await stored(api, delivery["id"])).lease == 1
    assert len(await deliveries.lease(api.database, [delivery["id"]], 30)) == 1


async def test_a_waiting_delivery_is_due_now_unless_it_is_being_sent(api: ApiAlone, pos: Caller) -> None:
    """Its age and its tries stay; a lease stays as it is."""
    _, delivery = await delivery_of(pos)
    path = f"{DELIVERIES}/{delivery['id']}/replay"
    await change(
        api.database,
        "UPDATE deliveries SET tries = 4, tried_at = created_at, due_at = {now} + 3600000,"
        " publish_at = {now} + 3600000",
    )
    before, wake_ups = await stored(api, delivery["id"]), wake_ups_of(api)

    assert (await pos.post(path)).status_code == 202
    row = await stored(api, delivery["id"])
    assert (row.tries, row.since_at, row.lease) == (4, before.since_at, 0)
    assert row.due_at < before.due_at - 3_000_000
    assert len(wake_ups) == 1

    (leased,) = await deliveries.lease(api.database, [delivery["id"]], 30)
    answered = await pos.post(path)
    assert (answered.status_code, answered.json()["is_being_sent"]) == (202, True)
    assert (await stored(api, delivery["id"])).lease == leased.lease
    assert len(wake_ups) == 1


async def test_nothing_is_replayed_to_a_disabled_endpoint(api: ApiAlone, pos: Caller) -> None:
    """A replay that names it is a 409; one that does not leaves its deliveries as they are."""
    endpoint, delivery = await delivery_of(pos)
    other = await registered(pos)
    payment_id = await cancelled_payment(pos)
    (others,) = await deliveries_of(pos, endpoint=other["id"], payment=payment_id)
    await end(api.database, others["id"], "dead", "gave_up")
    await pos.client.patch(f"{ENDPOINTS}/{endpoint['id']}", json={"disabled": True})
    assert await delivery_sweep.end_deliveries_of_disabled(api.database) == 2
    wanted = {"state": "dead", "from": LONG_AGO}

    refused = [
        await pos.post(f"{DELIVERIES}/{delivery['id']}/replay"),
        await pos.post(f"{DELIVERIES}/replay", {**wanted, "endpoint_id": endpoint["id"]}),
    ]
    codes = [answered.json()["error"]["code"] for answered in refused]
    assert codes == ["disabled.webhook_endpoint.conflict"] * 2
    assert (await pos.post(f"{DELIVERIES}/replay", wanted)).json() == {"replayed": 1}
    assert (await stored(api, delivery["id"])).reason == "endpoint_disabled"

    await pos.client.patch(f"{ENDPOINTS}/{endpoint['id']}", json={"disabled": False})
    assert (await pos.post(f"{DELIVERIES}/replay", wanted)).json() == {"replayed": 2}


async def test_many_are_replayed_by_filter_and_time(api: ApiAlone) -> None:
    """State, type, endpoint and time select them; another merchant's stay as they are."""
    pos, other = await api.merchant(), await api.merchant()
    endpoint = await registered(pos)
    second = await registered(pos)
    await registered(other)
    for caller in (pos, pos, pos, other):
        await cancelled_payment(caller)
    await pos.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    await change(api.database, "UPDATE deliveries SET state = 'dead', ended_at = {now}")
    old, *_ = await deliveries_of(pos, endpoint=endpoint["id"], type="payment.cancelled")
    await change(api.database, "UPDATE deliveries SET created_at = 1000 WHERE id = :id", id=old["id"])

    async def replayed(**asked: str) -> int:
        named = {name.rstrip("_"): value for name, value in asked.items()}
        answered = await pos.post(f"{DELIVERIES}/replay", {"state": "dead", **named})
        assert answered.status_code == 200, answered.text
        count: int = answered.json()["replayed"]
        return count

    assert await replayed(from_="1970-01-01T00:00:02Z", to=LONG_AGO) == 0
    assert await replayed(from_="1970-01-01T00:00:01Z", to="1970-01-01T00:00:01.001Z") == 1
    assert await replayed(from_=LONG_AGO, type="endpoint.test") == 1
    assert await replayed(from_=LONG_AGO, endpoint_id=second["id"]) == 3
    assert await replayed(from_=LONG_AGO) == 2
    assert await replayed(from_=LONG_AGO) == 0
    (untouched,) = await deliveries_of(other)
    assert untouched["state"] == "dead"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"from": LONG_AGO}, "state"),
        ({"state": "dead"}, "from"),
        ({"state": "waiting", "from": LONG_AGO}, "state"),
        ({"state": "dead", "from": "yesterday"}, "from"),
        ({"state": "dead", "from": LONG_AGO, "to": "2026-01-01"}, "to"),
        ({"state": "dead", "from": LONG_AGO, "endpoint": "x"}, "endpoint"),
        ({"state": "dead", "from": LONG_AGO, "kind": "hipay"}, "kind"),
        ({"state": "dead", "from": LONG_AGO, "cursor": "!"}, "cursor"),
    ],
    ids=["no-state", "no-from", "waiting", "from", "to", "unknown-member", "kind", "cursor"],
)
@on_sqlite
@pytest.mark.parametrize("api_settings", [LOCAL])
async def test_a_replay_of_many_needs_right_filters(api: ApiAlone, body: dict[str, Any], path: str) -> None:
    """A misspelt or missing filter is a 400, because it would send too much."""
    answered = await (await api.merchant()).post(f"{DELIVERIES}/replay", body)

    assert answered.status_code == 400, answered.text
    assert answered.json()["error"]["details"] == {"path": path}


async def test_a_replay_of_very_many_goes_on_where_it_ended(api: ApiAlone, pos: Caller) -> None:
    """Each delivery of all batches is replayed once, even if some are delivered again meanwhile."""
    endpoint = await registered(pos)
    for _ in range(7):
        await pos.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    delivered = "UPDATE deliveries SET state = 'delivered', ended_at = {now}"
    await change(api.database, delivered)
    wanted = DeliveryFilter(merchant_id=pos.merchant_id, kind="merchant", state="delivered")

    counts, place = [], None
    for _ in range(3):
        done = await replays.replay_many(api.database, wanted, after=place, most=3)
        await change(api.database, delivered)
        counts.append(done.count)
        place = done.next

    assert (counts, place) == ([3, 3, 1], None)
    assert {row.lease for row in await rows(api.database, "SELECT lease FROM deliveries")} == {1}


@pytest.mark.parametrize("api_settings", [{**LOCAL, **HIPAY}])
async def test_a_merchant_sees_and_replays_its_own_alone(api: ApiAlone, pos: Caller, other: Caller) -> None:
    """Another merchant's delivery, and HiPay's of its own payment, are a 404."""
    _, delivery = await delivery_of(pos)
    (hipays,) = await rows(api.database, "SELECT id FROM deliveries WHERE kind = 'hipay'")
    await change(api.database, "UPDATE deliveries SET state = 'dead', ended_at = {now}")

    for caller, delivery_id in ((other, delivery["id"]), (pos, hipays.id), (pos, "dlv_1")):
        assert (await caller.get(f"{DELIVERIES}/{delivery_id}")).status_code == 404
        assert (await caller.post(f"{DELIVERIES}/{delivery_id}/replay")).status_code == 404
    assert await deliveries_of(other) == []
    assert [one["id"] for one in await deliveries_of(pos)] == [delivery["id"]]
    answered = await pos.post(f"{DELIVERIES}/replay", {"state": "dead", "from": LONG_AGO})
    assert answered.json() == {"replayed": 1}
    assert (await stored(api, hipays.id)).state == "dead"
    assert (await pos.get(OPERATORS)).status_code == 403


@pytest.mark.parametrize("api_settings", [{**LOCAL, **HIPAY}])
async def test_an_operator_sees_and_replays_every_kind(api: ApiAlone, pos: Caller, other: Caller) -> None:
    """Kind, merchant and time select them; HiPay's deliveries show their attempts."""
    operator = await api.caller(CredentialKind.OPERATOR)
    endpoint, delivery = await delivery_of(pos)
    await delivery_of(other)
    await change(api.database, "UPDATE deliveries SET state = 'dead', ended_at = {now}")

    async def listed(**query: str) -> list[dict[str, Any]]:
        answered = await operator.get(OPERATORS, **query)
        assert answered.status_code == 200, answered.text
        found: list[dict[str, Any]] = answered.json()["deliveries"]
        return found

    assert len(await listed()) == 4
    assert len(await listed(limit="3")) == 3
    assert [one["kind"] for one in await listed(type="order")] == ["hipay", "hipay"]
    (hipays,) = await listed(kind="hipay", merchant=str(pos.merchant_id))
    assert "endpoint_id" not in hipays
    assert [one["id"] for one in await listed(endpoint=endpoint["id"])] == [delivery["id"]]
    shown = (await operator.get(f"{OPERATORS}/{hipays['id']}")).json()
    assert shown == {**hipays, "attempts": []}
    assert shown.keys() <= AnyDeliveryWithAttempts.model_fields.keys()

    replayed = await operator.post(f"{OPERATORS}/{hipays['id']}/replay")
    assert (replayed.status_code, replayed.json()["state"]) == (202, "waiting")
    asked = {"state": "dead", "from": LONG_AGO}
    many = await operator.post(f"{OPERATORS}/replay", {**asked, "kind": "hipay"})
    assert many.json() == {"replayed": 1}
    many = await operator.post(f"{OPERATORS}/replay", {**asked, "merchant_id": pos.merchant_id})
    assert many.json() == {"replayed": 1}
    assert (await operator.post(f"{OPERATORS}/dlv_1/replay")).status_code == 404

    traced = (await operator.get("/v1/operator/audit", by=operator.username)).json()["actions"]
    assert [(each["action"], each["by"]) for each in traced] == [
        ("deliveries_replayed", operator.username),
        ("deliveries_replayed", operator.username),
        ("delivery_replayed", operator.username),
    ]
    assert traced[0]["detail"]["count"] == 1
    assert traced[0]["detail"]["filter"]["merchant_id"] == pos.merchant_id
    assert traced[2]["subject"] == hipays["id"]


async def test_a_merchants_own_replay_is_no_operators_act(api: ApiAlone) -> None:
    """Only an operator's replay is in the list of operators' actions."""
    pos, operator = await api.merchant(), await api.caller(CredentialKind.OPERATOR)
    _, delivery = await delivery_of(pos)
    await change(api.database, "UPDATE deliveries SET state = 'dead', ended_at = {now}")

    assert (await pos.post(f"/v1/webhooks/deliveries/{delivery['id']}/replay")).status_code == 202

    assert (await operator.get("/v1/operator/audit", subject=delivery["id"])).json() == {"actions": []}
    assert (await pos.get("/v1/operator/audit")).status_code == 403
