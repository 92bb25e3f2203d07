"""Records of a gateway: proofs of a success, hints, and each record once."""

import json
from typing import Any

import pytest
from payments import history, lose, rows
from running.api_alone import ApiAlone, Caller, on_sqlite

from shared.payment.payment import Result
from shared.payment.states import Event, State
from shared.security.credentials import CredentialKind

PATH = "/v1/gateway/evidence"


def record(carried: str, /, **changes: Any) -> dict[str, Any]:
    """Return a record that proves a success of 2.50 euros; None takes a member away."""
    said = {
        "source": "preludd",
        "record_id": "rec-1",
        "reference": carried,
        "status": "completed",
        "amount": 250,
        "currency": "EUR",
        "authorisation_number": "184117",
        "masked_card": "4970101234567890",
        "occurred_at": "2026-03-05T12:06:58.123Z",
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


async def in_doubt(api: ApiAlone, pos: Caller, **order: Any) -> str:
    payment_id = await pos.order_async(**order)
    await lose(api.database, await api.claim(payment_id))
    return payment_id


@pytest.mark.parametrize("status", ["completed", "collected"])
async def test_a_record_with_our_reference_proves_a_success(api: ApiAlone, status: str) -> None:
    """The doubt is settled; nothing of the card but six and four digits is stored anywhere."""
    pos, gateway = await api.merchant(), await api.caller(CredentialKind.GATEWAY)
    payment_id = await in_doubt(api, pos)

    answered = await gateway.post(PATH, record(f"  {payment_id.lower()}§10", status=status))

    assert answered.status_code == 200, answered.text
    assert answered.json() == {
        "payment": {"id": payment_id, "state": "succeeded"},
        "evidence": {"is_proof": True, "is_new": True},
    }
    payment = (await pos.get(f"/v1/payments/{payment_id}")).json()["payment"]
    assert payment["resolved_by"] == "gateway"
    assert payment["authorisation_number"] == "184117"
    assert payment["masked_card"] == "497010******7890"
    operator = await api.caller(CredentialKind.OPERATOR)
    case = (await operator.get(f"/v1/operator/payments/{payment_id}")).json()
    assert case["evidence"][0]["brought_by"] == gateway.username
    assert case["events"][-1]["detail"]["brought_by"] == gateway.username
    assert gateway.username not in (await pos.get(f"/v1/payments/{payment_id}/events")).text
    for table in ("payments", "evidence", "payment_events", "gateway_records"):
        assert "4970101234567890" not in str(await rows(api.database, f"SELECT * FROM {table}"))
    assert api.metrics.registry.get_sample_value(
        "cloud_terminal_doubt_duration_seconds_count", {"source": "gateway"}
    )


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"status": "authorised"}, "status"),
        ({"status": "refused"}, "status"),
        ({"status": "cancelled"}, "status"),
        ({"amount": 249}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"reference": None, "payment_id": "the payment's"}, "joined"),
        ({"reference": None, "payment_id": "the payment's", "status": "collected"}, "joined"),
    ],
)
@on_sqlite
async def test_anything_less_is_a_hint(api: ApiAlone, changes: dict[str, Any], because: str) -> None:
    """Kept for the operator; the payment stays in doubt."""
    pos, gateway = await api.merchant(), await api.caller(CredentialKind.GATEWAY)
    payment_id = await in_doubt(api, pos)
    said = record(payment_id, **changes)
    if "payment_id" in said:
        said["payment_id"] = payment_id

    answered = (await gateway.post(PATH, said)).json()

    assert answered["payment"]["state"] == "in_doubt"
    assert answered["evidence"] == {"is_proof": False, "is_new": True, "because": because}
    (stored,) = await rows(api.database, "SELECT source, proves, detail FROM evidence")
    assert (stored.source, stored.proves) == ("gateway", None)
    assert json.loads(stored.detail)["hint_because"] == because


async def test_a_record_is_taken_once(api: ApiAlone) -> None:
    """However often it is reported; another one of its id is a conflict."""
    pos, gateway = await api.merchant(), await api.caller(CredentialKind.GATEWAY)
    payment_id = await in_doubt(api, pos)
    said = record(payment_id, status="authorised")

    assert (await gateway.post(PATH, said)).json()["evidence"]["is_new"] is True
    assert (await gateway.post(PATH, said)).json()["evidence"]["is_new"] is False
    assert len(await rows(api.database, "SELECT id FROM evidence")) == 1

    other = await gateway.post(PATH, {**said, "amount": 1})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "used.record.conflict")
    later = await gateway.post(PATH, {**said, "record_id": "rec-2", "status": "completed"})
    assert later.json()["payment"]["state"] == "succeeded"
    assert (await gateway.post(PATH, {**said, "source": "other"})).json()["evidence"]["is_new"] is True


@on_sqlite
async def test_a_proof_before_the_doubt_settles_it_when_it_begins(api: ApiAlone) -> None:
    """The gateway was faster than our lost connection."""
    pos, gateway = await api.merchant(), await api.caller(CredentialKind.GATEWAY)
    payment_id = await pos.order_async()
    claimed = await api.claim(payment_id)

    early = (await gateway.post(PATH, record(payment_id))).json()
    assert early["payment"]["state"] == "in_session"

    assert (await lose(api.database, claimed)).state is State.SUCCEEDED


async def test_a_proof_against_a_refusal_is_raised(api: ApiAlone) -> None:
    """The state stays, nothing is safe to retry any more, the order takes no more attempts, and it counts."""
    pos, gateway = await api.merchant(), await api.caller(CredentialKind.GATEWAY)
    payment_id = await pos.order_async(order_id="order-1")
    await api.settle(await api.claim(payment_id), Event.ANSWERED_REFUSED, Result(error_code="04"))

    answered = (await gateway.post(PATH, record(payment_id))).json()

    assert answered["payment"]["state"] == "refused"
    assert ("contradiction", State.REFUSED) in await history(api.database, payment_id)
    payment = (await pos.get(f"/v1/payments/{payment_id}")).json()["payment"]
    assert (payment["contradicted"], payment["safe_to_retry"]) == (True, False)
    closed = await pos.order(order_id="order-1")
    assert (closed.status_code, closed.json()["error"]["code"]) == (409, "closed.order.conflict")
    assert api.metrics.registry.get_sample_value("cloud_terminal_contradictions_total") == 1
    await gateway.post(PATH, record(payment_id))
    assert api.metrics.registry.get_sample_value("cloud_terminal_contradictions_total") == 1


async def test_no_other_attempt_of_a_closed_order_is_safe_to_retry(api: ApiAlone) -> None:
    """The answer of one that fails afterwards agrees with the 409 that the same order gets."""
    pos, gateway = await api.merchant(), await api.caller(CredentialKind.GATEWAY)
    paid = await pos.order_async(order_id="order-1")
    await api.settle(await api.claim(paid), Event.ANSWERED_REFUSED, Result(error_code="04"))
    again = await pos.order_async(order_id="order-1")
    claimed = await api.claim(again)
    await gateway.post(PATH, record(paid))

    await api.settle(claimed, Event.ANSWERED_REFUSED, Result(error_code="04"))

    payment = (await pos.get(f"/v1/payments/{again}")).json()["payment"]
    assert (payment["state"], payment["safe_to_retry"]) == ("refused", False)
    assert (await pos.order(order_id="order-1")).status_code == 409


@pytest.mark.parametrize(
    ("changes", "status", "path"),
    [
        ({"reference": "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"}, 404, None),
        ({"reference": "somebody else's"}, 404, None),
        ({"reference": None}, 400, "reference"),
        ({"payment_id": "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"}, 400, "payment_id"),
        ({"status": "paid"}, 400, "status"),
        ({"amount": "250"}, 400, "amount"),
        ({"record_id": None}, 400, "record_id"),
        ({"occurred_at": "yesterday"}, 400, "occurred_at"),
        ({"reference": "a\0b"}, 400, "reference"),
        ({"reference": "a\ud800b"}, 400, "reference"),
    ],
)
@on_sqlite
async def test_a_report_that_cannot_be_used_is_refused(
    api: ApiAlone, changes: dict[str, Any], status: int, path: str | None
) -> None:
    """In the contract's words; nothing is stored."""
    gateway = await api.caller(CredentialKind.GATEWAY)

    answered = await gateway.client.post(
        PATH,
        content=json.dumps(record("pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDF", **changes)),
        headers={"content-type": "application/json"},
    )

    assert answered.status_code == status, answered.text
    assert answered.json()["error"]["details"].get("path") == path
    assert await rows(api.database, "SELECT * FROM gateway_records") == []
