"""One terminal, two merchants: neither sees the other's payments, nor waits for all of them."""

import json
from typing import Any

from eventually import eventually
from payments import rows
from system import System, payment_id
from wire.scripted_terminal import ScriptedTerminal, Talk, answers

from shared.security.credentials import CredentialKind

OTHERS_PAYMENT = "pay_01JD7Z4QK5W8M2N3P6R9S0T1V5"
#: The last transaction of the terminal, which is another merchant's.
OTHERS = {
    "CB": "98765",
    "CF": OTHERS_PAYMENT,
    "AA": "497010******7893",
    "AC": "AB1234",
    "AI": "A0000000421010",
    "CG": "1999403",
    "CI": "2",
    "CC": "00B",
}
_SEEN = ("98765", OTHERS_PAYMENT, "7893", "AB1234", "A0000000421010", "1999403", "00B")


async def loses_ours_and_shows_anothers(talk: Talk) -> None:
    """The connection breaks after the request; an enquiry is answered of another merchant's payment."""
    asked = await talk.request()
    if asked["CD"] == "3":
        talk.answer(asked, **{**OTHERS, "CD": "0"})


async def answers_with_anothers(talk: Talk) -> None:
    talk.answer(await talk.request(), **OTHERS)


async def everything_of(system: System, payment: str) -> str:
    """Return what is stored of a payment's past."""
    found = [
        await rows(system.database, f"SELECT detail FROM {table} WHERE payment_id = :id", id=payment)
        for table in ("payment_events", "evidence")
    ]
    return "\n".join(row.detail for table in found for row in table)


async def test_an_enquiry_tells_a_merchant_nothing_of_anothers_payment(system_on_both: System) -> None:
    """Neither stored nor shown: the source, and what the hint lacks. An operator sees a fingerprint."""
    system = system_on_both
    api = await system.api()
    pos = await system.pos(api)
    operator = await system.login(kind=CredentialKind.OPERATOR, merchant=False)
    await system.worker(lease_after_doubt_seconds=60, enquiry_timeout_seconds=2)

    async with ScriptedTerminal(loses_ours_and_shows_anothers) as shop:
        pending = payment_id(await pos.pay(shop.host, headers={"Prefer": "respond-async"}))

        async def hint() -> Any:
            stored = await rows(
                system.database, "SELECT detail FROM evidence WHERE payment_id = :id", id=pending
            )
            return stored[0] if stored else None

        assert json.loads((await eventually(hint)).detail).keys() == {"lack", "fingerprint"}

    stored = await everything_of(system, pending)
    mine = await pos.client.get(f"/v1/payments/{pending}/events", headers=pos.login.headers)
    theirs = await pos.client.get(f"/v1/operator/payments/{pending}", headers=operator.headers)
    for text in (stored, mine.text, theirs.text):
        assert [part for part in _SEEN if part in text] == []
    (event,) = [event for event in mine.json()["events"] if event["event"] == "evidence"]
    assert event["detail"] == {"source": "enquiry", "proves": None, "lack": "other_amount"}
    (evidence,) = theirs.json()["evidence"]
    assert len(evidence["detail"]["fingerprint"]) == 64


async def test_anothers_answer_to_ones_own_request_is_not_kept(system: System) -> None:
    """It leaves the payment in doubt, and says why; its fields are nowhere."""
    pos = await system.pos(await system.api())
    await system.worker()

    async with ScriptedTerminal(answers_with_anothers) as shop:
        answered = await pos.pay(shop.host)

    pending = payment_id(answered)
    stored = await everything_of(system, pending)
    mine = await pos.client.get(f"/v1/payments/{pending}/events", headers=pos.login.headers)
    for text in (answered.text, stored, mine.text):
        assert [part for part in _SEEN if part in text] == []
    assert "other_reference" in stored


async def test_one_merchants_queue_does_not_use_up_anothers(system: System) -> None:
    """40 orders of one wait for the terminal; the other's single order is paid before the rest of them."""
    api = await system.api(
        queue_deadline_seconds=100,
        caller_wait_seconds=200,
        api_drain_seconds=220,
        api_stop_grace_seconds=230,
    )
    crowd, other = await system.pos(api), await system.pos(api)
    async with ScriptedTerminal(answers) as shop:
        for _ in range(40):
            taken = await crowd.pay(shop.host, headers={"Prefer": "respond-async"})
            assert taken.status_code == 202, taken.text
        taken = await other.pay(shop.host, headers={"Prefer": "respond-async"})
        assert taken.status_code == 202, taken.text

        await system.worker()

        async def claimed() -> Any:
            (row,) = await rows(
                system.database,
                "SELECT claimed_at FROM payments WHERE merchant_id = :other",
                other=other.login.merchant_id,
            )
            return row.claimed_at

        (before,) = await rows(
            system.database,
            "SELECT count(*) AS number FROM payments WHERE merchant_id <> :other AND claimed_at <= :at",
            other=other.login.merchant_id,
            at=await eventually(claimed, within_seconds=60),
        )
    # The first message of all, and what a message that came to a free terminal took: no turn is taken there.
    assert before.number <= 10
