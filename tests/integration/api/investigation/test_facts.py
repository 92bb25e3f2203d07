"""A payment's facts, and the record of the answers that clients were given."""

import os
from typing import Any

import pytest
from payments import rows
from running.api_alone import ApiAlone, Caller, on_sqlite
from stored.lossy_database import LossyDatabase

from api.http.server.given_responses import GivenResponses
from shared.payment.payment import Result, Settlement
from shared.payment.states import Event
from shared.runtime.clock import SystemClock
from shared.security.credentials import CredentialKind
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable
from shared.storage.investigation.responses import Response
from shared.storage.payments import settling
from shared.storage.terminals.locks import ObservedCapabilities

DONE = Settlement(
    event=Event.ANSWERED_DONE,
    result=Result(masked_card="497010******0003", authorisation_number="184117", receipt="TICKET CLIENT"),
    detail={"sent": {"CA": "01", "CB": "250"}, "answer": {"AE": "10", "CC": "00B"}},
)


@pytest.fixture
async def operator(api: ApiAlone) -> Caller:
    return await api.caller(CredentialKind.OPERATOR)


async def facts(operator: Caller, payment_id: str) -> dict[str, Any]:
    answered = await operator.get(f"/v1/operator/payments/{payment_id}")
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


async def test_an_operator_reads_everything_about_a_payment_at_once(
    api: ApiAlone, pos: Caller, operator: Caller
) -> None:
    """History, the very fields sent and answered, deliveries, equal charges, and who was told what."""
    await pos.post("/v1/webhooks/endpoints", {"url": "https://pos.example/hooks"})
    payment_id = await pos.order_async()
    claimed = await api.claim(payment_id)
    await settling.settle(api.database, claimed.grant, claimed.payment, DONE, ObservedCapabilities())
    told = await pos.get(f"/v1/payments/{payment_id}")
    await api.responses.store()

    shown = await facts(operator, payment_id)

    assert [event["event"] for event in shown["events"]] == ["accepted", "claimed", "answered_done"]
    assert (shown["sent"], shown["answered"]) == (DONE.detail["sent"], DONE.detail["answer"])
    assert shown["receipt"] == "TICKET CLIENT"
    assert [each["type"] for each in shown["deliveries"]] == ["payment.succeeded"]
    assert shown["deliveries"][0]["attempts"] == []
    assert shown["equal_charges"]["charged"] == 1
    accepted, asked = shown["responses"]
    assert (accepted["status"], accepted["code"]) == (202, "accepted")
    assert accepted["request"] == "POST /v1/connector/order"
    assert (asked["status"], asked["code"]) == (200, "Success")
    assert asked["request"] == f"GET /v1/payments/{payment_id}"
    assert asked["credential"] == pos.username
    assert asked["request_id"] == told.headers["x-request-id"]
    assert asked["client_left"] is False
    assert asked["at"] >= shown["payment"]["ended_at"]
    own = (await pos.get(f"/v1/payments/{payment_id}/responses")).json()
    assert own["responses"] == shown["responses"]


async def test_an_error_about_a_payment_is_recorded_as_given(
    api: ApiAlone, pos: Caller, operator: Caller
) -> None:
    """A conflict names the earlier payment: its client was told so. An operator's answers are no POS's."""
    payment_id = await pos.order_async(order_id="a", amount=250)
    refused = await pos.order(order_id="a", amount=999)
    assert refused.status_code == 409
    await operator.post(
        f"/v1/operator/payments/{payment_id}/resolve",
        {"decision": "charged", "name": "Jane Doe", "reason": "Seen."},
    )
    await api.responses.store()

    given = (await facts(operator, payment_id))["responses"]

    assert [(each["status"], each["code"]) for each in given] == [
        (202, "accepted"),
        (409, "different.order.conflict"),
    ]


@on_sqlite
async def test_nobody_reads_the_answers_about_anothers_payment(
    api: ApiAlone, pos: Caller, other: Caller
) -> None:
    """A 404, as for no payment at all."""
    payment_id = await pos.order_async()

    assert (await other.get(f"/v1/payments/{payment_id}/responses")).status_code == 404
    assert (await pos.get("/v1/payments/pay_nothing/responses")).status_code == 404
    assert (await other.get(f"/v1/payments/{payment_id}")).status_code == 404
    await api.responses.store()
    assert len(await rows(api.database, "SELECT id FROM responses")) == 1, (
        "a 404 is about no payment of theirs"
    )


RESPONSE = Response(
    status=200, code="Success", request="POST /v1/connector/order", credential="ct_1", client=None,
    request_id=None, client_left=True,
)  # fmt: skip


async def test_a_response_is_stored_once_though_its_commits_answer_was_lost(api: ApiAlone) -> None:
    """It is tried again under its own id: neither lost nor doubled."""
    lossy = LossyDatabase(api.database)
    given = GivenResponses(lossy, SystemClock(), os.urandom)
    for number in range(3):
        given.add(f"pay_{number}", RESPONSE)

    lossy.lost_commits = 1
    with pytest.raises(CommitUnknown):
        await given.store()
    given.add("pay_3", RESPONSE)
    await given.store()

    stored = await rows(api.database, "SELECT payment_id FROM responses ORDER BY id")
    assert [row.payment_id for row in stored] == [f"pay_{number}" for number in range(4)]


@on_sqlite
async def test_responses_outlast_an_outage_of_the_database(
    api: ApiAlone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait in the order in which they were given, and each is stored once."""
    given = GivenResponses(api.database, SystemClock(), os.urandom)
    for number in range(3):
        given.add(f"pay_{number}", RESPONSE)

    async def away(*_: Any) -> None:
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(api.database, "write", away)
        with pytest.raises(DatabaseUnavailable):
            await given.store()
    await given.store()
    await given.store()

    stored = await rows(api.database, "SELECT payment_id, client_left FROM responses ORDER BY id")
    assert [(row.payment_id, bool(row.client_left)) for row in stored] == [
        (f"pay_{n}", True) for n in range(3)
    ]
