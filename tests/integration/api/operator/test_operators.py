"""Doubts and contradictions as operators see them, and their decisions."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from payments import change, history, holder, lose, prove, rows
from running.api_alone import ApiAlone, Caller, on_sqlite

from shared.payment.payment import Result
from shared.payment.states import Event, State
from shared.security.credentials import CredentialKind

PERSON = {"name": "Jane Doe", "reason": "The journal shows it, card 4970101234567890."}
ADDRESS = "127.0.0.9:8888"


async def decide(operator: Caller, payment_id: str, decision: str, **more: Any) -> httpx.Response:
    return await operator.post(
        f"/v1/operator/payments/{payment_id}/resolve", {"decision": decision, **PERSON, **more}
    )


async def test_a_doubt_is_shown_with_all_that_is_known(api: ApiAlone) -> None:
    """Age, hints, whose it is, and in how many seconds each decision may be taken; the oldest first."""
    pos, operator = await api.merchant(), await api.caller(CredentialKind.OPERATOR)
    first = await api.in_doubt(pos, host="127.0.0.9")
    await prove(api.database, first, None, Result(authorisation_number="7"))
    await change(api.database, "UPDATE payments SET created_at = created_at - 5000")
    second = await api.in_doubt(pos, host="127.0.0.10")
    await api.age(100)

    page = (await operator.get("/v1/operator/doubts", limit="1")).json()
    rest = (await operator.get("/v1/operator/doubts", cursor=page["next"])).json()

    (shown,) = page["payments"]
    assert shown["payment"]["id"] == first
    assert shown["payment"]["resolving"] is True
    assert (shown["merchant_id"], shown["terminal_address"]) == (pos.merchant_id, ADDRESS)
    assert 100 <= shown["in_doubt_seconds"] < 130
    assert shown["decision_in_seconds"]["charged"] == 0
    assert 145 < shown["decision_in_seconds"]["not_charged"] <= 175
    (hint,) = shown["evidence"]
    assert hint["source"] == "gateway"
    assert hint["detail"] == {"authorisation_number": "7"}
    assert "proves" not in hint
    assert [case["payment"]["id"] for case in rest["payments"]] == [second]
    assert "next" not in rest


async def test_charged_makes_a_doubt_a_success(api: ApiAlone) -> None:
    """With who, why and what was paid; whoever waits hears of it; saying it again is as good."""
    pos, operator = await api.merchant(), await api.caller(CredentialKind.OPERATOR)
    payment_id = await api.in_doubt(pos)
    await api.age(61)

    async with asyncio.TaskGroup() as group:
        polling = group.create_task(pos.get(f"/v1/payments/{payment_id}", wait="20"))
        decided = await decide(operator, payment_id, "charged", amount=200, authorisation_number="0042")

    assert decided.status_code == 200, decided.text
    assert polling.result().json()["paymentStatus"] == "Success"
    payment = decided.json()["payment"]
    assert (payment["state"], payment["resolved_by"], payment["amount"]) == ("succeeded", "operator", 200)
    assert (await decide(operator, payment_id, "charged")).status_code == 200
    other = await decide(operator, payment_id, "not_charged")
    assert other.json()["error"]["code"] == "succeeded.payment.conflict"
    (said,) = await rows(api.database, "SELECT source, proves, brought_by, detail FROM evidence")
    assert (said.source, said.proves, said.brought_by) == ("operator", "proved_done", "Jane Doe")
    (settled,) = await rows(api.database, "SELECT proved_by FROM payments")
    assert settled.proved_by == "Jane Doe"
    assert operator.username in said.detail
    assert "Jane Doe" in said.detail
    assert "497010******7890" in said.detail
    assert await holder(api.database, ADDRESS) == payment_id, "the line is its holder's to free"


async def test_not_charged_makes_a_doubt_a_failure_after_its_window_only(api: ApiAlone) -> None:
    """Aborted, reason `operator`, code `00`; the order may be tried again."""
    pos, operator = await api.merchant(), await api.caller(CredentialKind.OPERATOR)
    payment_id = await api.in_doubt(pos, order_id="order-1")
    await api.age(270)

    early = await decide(operator, payment_id, "not_charged")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "early.payment.conflict")
    assert 0 < early.json()["error"]["details"]["seconds_left"] <= 5
    assert early.headers["retry-after"] == str(early.json()["error"]["details"]["seconds_left"])
    assert early.json()["payment"]["state"] == "in_doubt"

    await api.age(6)
    assert (await decide(operator, payment_id, "not_charged")).status_code == 200
    told = (await pos.get(f"/v1/payments/{payment_id}")).json()
    assert (told["paymentStatus"], told["errorCode"]) == ("Failed", "00")
    assert (told["payment"]["state"], told["payment"]["reason"]) == ("aborted", "operator")
    assert told["payment"]["safe_to_retry"] is True
    assert await pos.order_async(order_id="order-1") != payment_id


@on_sqlite
@pytest.mark.parametrize(
    ("terminal_time_seconds", "window_seconds"), [(600, 635), (27, 275)], ids=["longer", "never shorter"]
)
async def test_a_terminal_that_takes_its_time_has_a_longer_window(
    api: ApiAlone, pos: Caller, terminal_time_seconds: int, window_seconds: int
) -> None:
    """By the profile that the payment was sent with; it may be shared, so no merchant's word shortens it."""
    operator = await api.caller(CredentialKind.OPERATOR)
    payment_id = await api.in_doubt(pos)
    profile = json.dumps({"terminal_time_seconds": terminal_time_seconds})
    await change(api.database, "UPDATE payments SET profile = :profile", profile=profile)
    await api.age(window_seconds - 5)

    assert (await decide(operator, payment_id, "not_charged")).status_code == 409
    await api.age(6)
    assert (await decide(operator, payment_id, "not_charged")).status_code == 200


@on_sqlite
async def test_nobody_decides_in_the_first_minute(api: ApiAlone) -> None:
    """Whichever way: the terminal's worker comes first."""
    pos, operator = await api.merchant(), await api.caller(CredentialKind.OPERATOR)
    payment_id = await api.in_doubt(pos)
    await api.age(50)

    for decision in ("charged", "not_charged"):
        assert (await decide(operator, payment_id, decision)).status_code == 409
    assert await rows(api.database, "SELECT id FROM evidence") == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"decision": "maybe", **PERSON}, "decision"),
        ({"decision": "charged", "name": "", "reason": "x"}, "name"),
        ({"decision": "charged", "name": "x"}, "reason"),
        ({"decision": "charged", **PERSON, "amount": 251}, "amount"),
    ],
)
@on_sqlite
async def test_a_decision_without_name_or_reason_is_none(
    api: ApiAlone, body: dict[str, Any], path: str
) -> None:
    """400 that names the field; more than was asked for cannot have been paid."""
    pos, operator = await api.merchant(), await api.caller(CredentialKind.OPERATOR)
    payment_id = await api.in_doubt(pos)
    await api.age(1000)

    answered = await operator.post(f"/v1/operator/payments/{payment_id}/resolve", body)

    assert answered.status_code == 400
    assert answered.json()["error"]["details"] == {"path": path}
    assert await history(api.database, payment_id) == [
        ("accepted", State.QUEUED),
        ("claimed", State.IN_SESSION),
        ("outcome_lost", State.IN_DOUBT),
    ]


async def test_contradictions_are_listed_with_their_proofs(api: ApiAlone) -> None:
    """And shown whole with the history; what is unknown is a 404."""
    pos, operator = await api.merchant(), await api.caller(CredentialKind.OPERATOR)
    payment_id = await pos.order_async()
    await api.settle(await api.claim(payment_id), Event.ANSWERED_REFUSED, Result(error_code="04"))
    assert (await operator.get("/v1/operator/contradictions")).json() == {"payments": []}
    await prove(api.database, payment_id, Event.PROVED_DONE)

    (shown,) = (await operator.get("/v1/operator/contradictions")).json()["payments"]

    assert shown["payment"]["contradicted"] is True
    assert shown["evidence"][0]["proves"] == "proved_done"
    assert "in_doubt_seconds" not in shown
    whole = (await operator.get(f"/v1/operator/payments/{payment_id}")).json()
    assert [event["event"] for event in whole["events"]][-1] == "contradiction"
    assert (await operator.get("/v1/operator/payments/pay_1")).status_code == 404
    assert (await decide(operator, "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE", "charged")).status_code == 404


async def test_a_person_may_ask_for_a_terminal_after_a_minute(api: ApiAlone) -> None:
    """Merchant or operator: 409 with the seconds left, then 202; the payment stays in doubt."""
    pos, operator = await api.merchant(), await api.caller(CredentialKind.OPERATOR)
    payment_id = await api.in_doubt(pos)
    ways: tuple[tuple[Caller, str, dict[str, str] | None, str], ...] = (
        (pos, f"/v1/payments/{payment_id}/release", None, f"merchant ({pos.username})"),
        (operator, f"/v1/operator/payments/{payment_id}/release", PERSON, "operator Jane Doe: "),
    )

    await api.age(55)
    for caller, path, body, _ in ways:
        early = await caller.post(path, body)
        assert (early.status_code, early.json()["error"]["code"]) == (409, "early.payment.conflict")
        assert 0 < early.json()["error"]["details"]["seconds_left"] <= 5
    await api.age(6)
    for caller, path, body, by in ways:
        asked = await caller.post(path, body)
        assert asked.status_code == 202, asked.text
        assert asked.json()["payment"]["state"] == "in_doubt"
        (lock,) = await rows(api.database, "SELECT release_for, release_by FROM terminal_locks")
        assert lock.release_for == payment_id
        assert lock.release_by.startswith(by)
    assert operator.username not in (await pos.get(f"/v1/payments/{payment_id}/events")).text
    (action,) = (await operator.get("/v1/operator/audit", subject=payment_id)).json()["actions"]
    assert action["by"] == operator.username


@on_sqlite
async def test_only_a_doubt_that_holds_its_terminal_can_be_asked_to_let_go(
    api: ApiAlone, pos: Caller
) -> None:
    """Running: 409 with its state; in doubt and its terminal already free: 409, too."""
    payment_id = await pos.order_async()
    claimed = await api.claim(payment_id)
    path = f"/v1/payments/{payment_id}/release"

    assert (await pos.post(path)).json()["error"]["code"] == "in_session.payment.conflict"
    await lose(api.database, claimed)
    await change(api.database, "UPDATE terminal_locks SET held_by = NULL")
    assert (await pos.post(path)).json()["error"]["code"] == "free.terminal.conflict"
