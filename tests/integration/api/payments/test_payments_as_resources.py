"""Payments read, listed, waited for and stopped: by their own merchant only."""

import asyncio
import time
from typing import Any

import pytest
from eventually import eventually
from payments import change, lose
from running.api_alone import ApiAlone, Caller, on_sqlite

from shared.payment.payment import Result
from shared.payment.states import Event
from shared.security.credentials import CredentialKind
from shared.storage.payments import snapshots
from shared.storage.payments.rows import payment_of


async def test_a_payment_that_was_not_waited_for_is_found_with_its_answer(api: ApiAlone, pos: Caller) -> None:
    """202 with a location; first the payment alone, at the end what the order would have answered."""
    answered = await pos.order(order_id="order-1", headers={"prefer": "respond-async"})

    assert answered.status_code == 202
    assert answered.headers["preference-applied"] == "respond-async"
    path = answered.headers["location"]
    waiting = await pos.get(path)
    assert waiting.status_code == 200
    assert waiting.json().keys() == {"payment"}
    assert waiting.json()["payment"]["state"] == "queued"
    assert waiting.json()["payment"]["resolving"] is True

    claimed = await api.claim(answered.json()["payment"]["id"])
    await api.settle(claimed, Event.ANSWERED_DONE, Result(receipt="TICKET", authorisation_number="12"))
    found = (await pos.get(path)).json()
    assert found["paymentStatus"] == "Success"
    assert found["receipt"]
    assert found["order"]["order_id"] == "order-1"
    assert found["payment"]["authorisation_number"] == "12"

    again = await pos.order(order_id="order-1", headers={"prefer": "respond-async"})
    assert again.status_code == 200
    assert again.json()["payment"]["replayed"] is True


@on_sqlite
async def test_what_belongs_to_another_merchant_is_not_there(api: ApiAlone) -> None:
    """404 for reading, history, cancel and release, as for an id that nobody has."""
    owner, other = await api.merchant(), await api.merchant()
    payment_id = await owner.order_async()

    for wrong in (payment_id, "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE", "pay_1"):
        path = f"/v1/payments/{wrong}"
        for answered in (
            await other.get(path),
            await other.get(path + "/events"),
            await other.post(path + "/cancel"),
            await other.post(path + "/release"),
        ):
            assert answered.status_code == 404
            assert answered.json()["error"]["code"] == "unknown.resource.not.found"
    assert (await other.get("/v1/payments")).json() == {"payments": []}
    assert (await owner.get(f"/v1/payments/{payment_id}")).status_code == 200


async def test_another_merchants_payment_is_not_even_read(
    api: ApiAlone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its 404 takes as long as one of an id that nobody has, however large the order was."""
    owner, other = await api.merchant(), await api.merchant()
    payment_id = await owner.order_async()
    read: list[str] = []

    def read_row(row: Any) -> Any:
        read.append(row.id)
        return payment_of(row)

    monkeypatch.setattr(snapshots, "payment_of", read_row)
    path = f"/v1/payments/{payment_id}"
    for asked in ("", "/events", "/responses"):
        assert (await other.get(path + asked)).status_code == 404
    for asked in ("/cancel", "/release"):
        assert (await other.post(path + asked)).status_code == 404

    assert read == []
    assert (await owner.get(path)).status_code == 200
    assert read == [payment_id]


@pytest.mark.parametrize("kind", [CredentialKind.OPERATOR, CredentialKind.GATEWAY])
@on_sqlite
async def test_other_kinds_of_credentials_read_no_merchants_payments(
    api: ApiAlone, kind: CredentialKind
) -> None:
    """403 on every path of the merchant's; and a merchant's own is none of theirs."""
    caller, pos = await api.caller(kind), await api.merchant()
    payment_id = await pos.order_async()

    for path in ("/v1/payments", f"/v1/payments/{payment_id}", f"/v1/payments/{payment_id}/events"):
        assert (await caller.get(path)).json()["error"]["code"] == "credential.forbidden"
    for path in ("cancel", "release"):
        assert (await caller.post(f"/v1/payments/{payment_id}/{path}")).status_code == 403
    assert (await pos.get("/v1/operator/doubts")).json()["error"]["code"] == "credential.forbidden"
    assert (await pos.post("/v1/gateway/evidence", {})).status_code == 403


@pytest.mark.parametrize("loses_replies", [False, True])
@on_sqlite
async def test_a_long_poll_is_answered_when_the_payment_is_settled(
    api: ApiAlone, loses_replies: bool
) -> None:
    """Through its doubt, by the reply or by the batched query, long before its time is over."""
    api.postbox.loses_replies = loses_replies
    pos = await api.merchant()
    payment_id = await pos.order_async()
    claimed = await api.claim(payment_id)
    await lose(api.database, claimed)
    began = time.monotonic()

    async with asyncio.TaskGroup() as group:
        polling = group.create_task(pos.get(f"/v1/payments/{payment_id}", wait="20"))
        await eventually(lambda: api.known_to_waiters(payment_id))
        await report_completed(api, payment_id)

    assert polling.result().json()["paymentStatus"] == "Success"
    assert polling.result().json()["payment"]["resolved_by"] == "gateway"
    assert time.monotonic() - began < 15


async def report_completed(api: ApiAlone, payment_id: str, amount: int = 250) -> None:
    gateway = await api.caller(CredentialKind.GATEWAY)
    answered = await gateway.post(
        "/v1/gateway/evidence",
        {
            "source": "preludd",
            "record_id": "1",
            "reference": payment_id,
            "status": "completed",
            "amount": amount,
            "currency": "EUR",
        },
    )
    assert answered.status_code == 200, answered.text


@on_sqlite
async def test_a_long_poll_ends_with_the_payment_as_it_is(pos: Caller) -> None:
    """After its seconds; a limit that is none is a 400 that names the parameter."""
    path = f"/v1/payments/{await pos.order_async()}"
    began = time.monotonic()

    assert (await pos.get(path, wait="1")).json()["payment"]["state"] == "queued"
    assert 0.9 < time.monotonic() - began < 10
    for wrong in ("-1", "241", "soon", "1.5", ""):
        error = (await pos.get(path, wait=wrong)).json()["error"]
        assert (error["status"], error["code"]) == (400, "invalid.query.bad.request")
        assert error["details"] == {"parameter": "wait"}


async def test_a_listing_is_filtered(api: ApiAlone, pos: Caller) -> None:
    """By order, state, line and time; filters add up."""
    first = await pos.order_async("127.0.0.1", order_id="order-1")
    second = await pos.order_async("127.0.0.2", order_id="order-2")
    await api.claim(second)
    await change(api.database, "UPDATE payments SET created_at = 1000 WHERE id = :id", id=first)

    async def ids(**query: str) -> list[str]:
        answered = await pos.get("/v1/payments", **query)
        assert answered.status_code == 200, answered.text
        return [payment["id"] for payment in answered.json()["payments"]]

    assert await ids() == [second, first]
    assert await ids(order_id="order-1") == [first]
    assert await ids(state="in_session") == [second]
    assert await ids(terminal_address="127.0.0.2:8888") == [second]
    assert await ids(created_to="2001-01-01T00:00:00Z") == [first]
    assert await ids(created_from="1970-01-01T00:00:01Z", created_to="1970-01-01T00:00:01.001Z") == [first]
    assert await ids(created_from="1970-01-01T01:00:01.001+01:00") == [second]
    assert await ids(order_id="order-1", state="in_session") == []
    assert (await pos.get("/v1/payments", terminal="nobody's")).status_code == 404


async def test_pages_are_stable_while_payments_come(api: ApiAlone, pos: Caller) -> None:
    """Everything that was there is shown once, newest first, also where times are equal."""
    there = [await pos.order_async(f"127.0.0.{number}") for number in range(1, 8)]
    await change(api.database, "UPDATE payments SET created_at = 1000")
    shown: list[str] = []
    query = {"limit": "3"}
    while True:
        page = (await pos.get("/v1/payments", **query)).json()
        shown += [payment["id"] for payment in page["payments"]]
        if "next" not in page:
            break
        query["cursor"] = page["next"]
        await pos.order_async("127.0.1.1")

    assert shown == sorted(there, reverse=True)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("cursor", "bm9uZQ"),
        ("cursor", "!"),
        ("state", "paid"),
        ("created_from", "yesterday"),
        ("created_to", "2026-03-05T12:00:00"),
        ("order_id", "a\0"),
        ("order", "1"),
    ],
)
@on_sqlite
async def test_a_wrong_filter_is_no_filter(pos: Caller, parameter: str, value: str) -> None:
    """A misspelt one would show too much: 400, which names it."""
    answered = await pos.get("/v1/payments", **{parameter: value})

    assert answered.status_code == 400
    assert answered.json()["error"]["details"] == {"parameter": parameter}


async def test_a_history_names_every_step_and_no_card_and_no_stranger(api: ApiAlone) -> None:
    """In order, with times; what held the terminal for another merchant is not told."""
    pos, stranger = await api.merchant(), await api.merchant()
    held = await stranger.order_async()
    await api.claim(held)
    payment_id = await pos.order_async()
    await change(api.database, "UPDATE payments SET deadline_at = 0 WHERE id = :id", id=payment_id)
    await api.payments.results._reply_publisher.expire(payment_id)
    await change(
        api.database,
        "INSERT INTO payment_events (payment_id, at, event, state, detail)"
        " VALUES (:id, 1000, 'evidence', 'expired', :detail)",
        id=payment_id,
        detail='{"seen":["card 4970101234567890"]}',
    )

    events = (await pos.get(f"/v1/payments/{payment_id}/events")).json()["events"]

    assert [event["event"] for event in events] == ["accepted", "deadline_passed", "evidence"]
    assert events[1]["state"] == "expired"
    assert events[1]["detail"] == {"reason": "held"}
    assert events[2] == {
        "at": "1970-01-01T00:00:01.000Z",
        "event": "evidence",
        "state": "expired",
        "detail": {"seen": ["card 497010******7890"]},
    }
    assert held not in str(events)


@on_sqlite
async def test_a_queued_payment_is_cancelled_and_its_caller_hears_of_it(api: ApiAlone, pos: Caller) -> None:
    """200 to both, safe to retry; a second cancel is as good; the order's next attempt is a new one."""
    async with asyncio.TaskGroup() as group:
        paying = group.create_task(pos.order(order_id="order-1"))
        (payment_id,) = await eventually(lambda: api.postbox.published)
        cancelled = await pos.post(f"/v1/payments/{payment_id}/cancel")

    for answered in (cancelled, paying.result(), await pos.post(f"/v1/payments/{payment_id}/cancel")):
        assert answered.status_code == 200
        body = answered.json()
        assert (body["paymentStatus"], body["errorCode"]) == ("Failed", "cancelled")
        assert (body["payment"]["state"], body["payment"]["safe_to_retry"]) == ("cancelled", True)
    assert await pos.order_async(order_id="order-1") != payment_id


async def test_a_payment_that_a_terminal_has_cannot_be_cancelled(api: ApiAlone, pos: Caller) -> None:
    """409 with its state, whatever that is, and with what is true of it."""
    payment_id = await pos.order_async()
    claimed = await api.claim(payment_id)

    running = await pos.post(f"/v1/payments/{payment_id}/cancel")
    assert running.status_code == 409
    assert running.json()["error"]["code"] == "in_session.payment.conflict"
    assert running.json()["payment"]["safe_to_retry"] is False

    await api.settle(claimed, Event.ANSWERED_REFUSED, Result(error_code="04"))
    refused = (await pos.post(f"/v1/payments/{payment_id}/cancel")).json()
    assert refused["error"]["code"] == "refused.payment.conflict"
    assert refused["payment"]["state"] == "refused"
    assert refused["payment"]["safe_to_retry"] is True
    assert refused["error"]["details"] == {"safe_to_retry": True}


@on_sqlite
async def test_a_cancel_for_another_reason_is_not_the_callers(api: ApiAlone, pos: Caller) -> None:
    """The broker was away: cancelled, but not by whoever asks for it now."""
    api.postbox.is_unavailable = True
    answered = await pos.order()
    assert answered.status_code == 500
    payment_id = answered.json()["payment"]["id"]

    error = (await pos.post(f"/v1/payments/{payment_id}/cancel")).json()["error"]

    assert error["code"] == "cancelled.payment.conflict"
