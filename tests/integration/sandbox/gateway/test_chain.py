"""The authorisation chain from Preludd to the issuer and back, over HTTP."""

import pytest
from eventually import eventually
from running.sandbox_chain import TERMINAL, Chain, question

from sandbox.cards import DECK, card_of_key
from sandbox.tracing.steps import NUMBERS, Flow, System

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFERENCE = "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"


async def test_an_authorisation_goes_all_the_way_and_back(chain: Chain) -> None:
    """Steps 4 to 10 in their order, each system with a record, the number from the issuer."""
    answer = await chain.authorise(REFERENCE, 4000)

    expected = {
        key
        for key, number in NUMBERS[Flow.WITH_AUTHORISATION].items()
        if 4 <= int(number[:2].strip("'")) <= 10
    }
    route = [
        event
        for event in chain.trace.events(REFERENCE)
        if (event.step, event.source, event.target) in expected
    ]
    assert [(event.source, event.target) for event in route] == [
        (System.TERMINAL, System.PRELUDD),
        (System.PRELUDD, System.NEPTING),
        (System.NEPTING, System.ACQUIRER),
        (System.ACQUIRER, System.ISSUER),
        (System.ISSUER, System.ACQUIRER),
        (System.ACQUIRER, System.NEPTING),
        (System.NEPTING, System.PRELUDD),
        (System.PRELUDD, System.TERMINAL),
    ]
    assert answer["approved"]
    assert len(answer["authorisation_number"]) == 6
    for system in ("issuer", "acquirer", "nepting"):
        (record,) = await chain.get(system, "/records")
        assert record["answer"] == answer
        assert record["route"][0] == "preludd"
        assert record["route"][-1] == system


async def test_whole_card_numbers_are_recorded_nowhere(chain: Chain) -> None:
    """Masked in every record and trace event."""
    await chain.authorise(REFERENCE, 4000)

    seen = [
        str(await chain.get(system, "/records")) for system in ("issuer", "acquirer", "nepting", "preludd")
    ]
    seen += [str(event) for event in chain.trace.events()]
    assert not any(DECK[0].pan in text for text in seen)
    assert all("497010******7893" in text for text in seen[:4])


@pytest.mark.parametrize("card", DECK[4:], ids=lambda card: card.key)
async def test_each_card_of_the_deck_answers_as_it_is_labelled(chain: Chain, card: object) -> None:
    """Approved, or refused with the account's code."""
    expected = {
        "visa-poor": "51",
        "amex-limited": "61",
        "visa-refused": "05",
        "cb-blocked": "62",
        "cb-lost": "41",
        "mastercard-stolen": "43",
        "cb-expired": "54",
    }
    assert card in DECK

    answer = await chain.authorise(REFERENCE, 12_000, card=card)

    assert answer["code"] == expected.get(card.key, "00")


async def test_an_account_can_be_scripted(chain: Chain) -> None:
    """Limited, blocked, opened; an unknown card is code 14."""
    unknown = await chain.http.post(
        chain.urls["preludd"] + "/authorisations",
        json={**question(REFERENCE, 100), "card": {**question(None, 1)["card"], "pan": "4970109999999998"}},
    )
    assert unknown.json()["code"] == "14"

    await chain.post("issuer", f"/accounts/{DECK[0].pan}", {"available_cents": 1000})
    assert (await chain.authorise(REFERENCE, 1001))["code"] == "51"
    await chain.post("issuer", f"/accounts/{DECK[0].pan}", {"status": "lost"})
    assert (await chain.authorise(REFERENCE, 1))["code"] == "41"

    account = await chain.get("issuer", f"/accounts/{DECK[0].pan}")
    assert (account["available_cents"], account["status"]) == (1000, "lost")
    assert (await chain.http.get(chain.urls["issuer"] + "/accounts/4970109999999998")).status_code == 404


async def test_an_unavailable_issuer_is_code_91(chain: Chain) -> None:
    """The acquirer answers it, and it travels back."""
    await chain.post("issuer", "/script", {"unavailable": True})

    answer = await chain.authorise(REFERENCE, 4000)

    (record,) = await chain.get("acquirer", "/records")
    assert (answer["approved"], answer["code"], answer["authorisation_number"]) == (False, "91", None)
    assert record["answer"]["code"] == "91"


async def test_a_repeated_completion_and_collection_are_pushed_once(chain: Chain) -> None:
    """The terminal may repeat them; the acquirer counts once, Preludd pushes once."""
    poor = card_of_key("cb")
    assert poor is not None
    answer = await chain.authorise(REFERENCE, 4000)
    ended = chain.ended(REFERENCE, 4000, answer)
    for _ in range(2):
        await chain.complete(ended)
        await chain.collect(ended)

    pushes = (await chain.get("preludd", "/records"))["pushes"]
    assert [push["kind"] for push in pushes] == ["authorisation", "completion", "collection"]
    assert (await chain.get("acquirer", "/collections"))["count"] == 1


async def test_a_number_that_a_restarted_terminal_uses_again_is_another_transaction(chain: Chain) -> None:
    """A terminal that counts from 1 again loses no money."""
    first = chain.ended(REFERENCE, 100, id="1", at_ms=1_000)
    again = chain.ended(REFERENCE, 200, id="1", at_ms=2_000)

    await chain.collect(first)
    await chain.collect(again, batch=2)

    assert (await chain.get("acquirer", "/collections"))["sum_cents"] == 300


async def test_a_collected_reversal_is_refused(chain: Chain) -> None:
    """A batch holds neither a reversed debit nor its reversal."""
    ended = chain.ended(REFERENCE, 100, operation="reversal")

    await chain.post(
        "preludd", "/collections", {"terminal": TERMINAL, "batch": 1, "transactions": [ended]}, status=422
    )

    assert (await chain.get("acquirer", "/collections"))["count"] == 0


async def test_a_reference_that_only_the_authorisation_had_is_kept(chain: Chain) -> None:
    """A terminal that forgets CF until the collection: Preludd's own record carries it."""
    answer = await chain.authorise(REFERENCE, 4000)
    await chain.collect(chain.ended(None, 4000, answer))

    pushes = await eventually(lambda: _pushes(chain, 2))
    assert [push["reference"] for push in pushes] == [REFERENCE, REFERENCE]


async def _pushes(chain: Chain, count: int) -> list[dict[str, str]]:
    pushes: list[dict[str, str]] = (await chain.get("preludd", "/records"))["pushes"]
    return pushes if len(pushes) == count else []
