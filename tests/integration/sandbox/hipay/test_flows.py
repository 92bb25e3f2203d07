"""Authorisation, completion and collection as terminal and notifier send them, on running systems."""

import pytest
from eventually import eventually
from running.sandbox_chain import Chain

from sandbox.cards import card_of_key

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_collection_captures_what_was_authorised(chain: Chain) -> None:
    """116, then 118 of the same transaction, and the sums of terminal, acquirer and Console agree."""
    reference = await chain.order("ORDER_1", 4000)
    answer = await chain.authorise(reference, 4000)
    ended = chain.ended(reference, 4000, answer)
    await chain.complete(ended)
    await eventually(lambda: _has(chain, "ORDER_1", [116]))

    acknowledged = await chain.collect(ended)

    await eventually(lambda: _has(chain, "ORDER_1", [118]))
    (transaction,) = await chain.transactions(order_id="ORDER_1")
    collected = await chain.get("acquirer", "/collections")
    assert acknowledged == {
        "acknowledged": True,
        "count": 1,
        "sum_cents": 4000,
        "debit_cents": 4000,
        "credit_cents": 0,
    }
    assert (transaction["captured_cents"], collected["sum_cents"]) == (4000, 4000)
    assert transaction["payment"]["authorisation_number"] == answer["authorisation_number"]
    assert transaction["payment"]["masked_pan"] == "497010******7893"
    await eventually(lambda: _notified(chain, [("ORDER_1", "116"), ("ORDER_1", "118")]))


async def test_a_refusal_has_the_issuers_reason_and_is_never_captured(chain: Chain) -> None:
    """51 travels the chain; HiPay shows 113 with its own reason."""
    reference = await chain.order("ORDER_1", 6000)
    poor = card_of_key("visa-poor")
    assert poor is not None

    answer = await chain.authorise(reference, 6000, card=poor)

    assert (answer["approved"], answer["code"], answer["message"]) == (False, "51", "Insufficient funds")
    await eventually(lambda: _has(chain, "ORDER_1", [113]))
    (received,) = await eventually(lambda: chain.get("merchant", "/hipay/notifications"))
    assert received["is_verified"]
    assert received["content"]["reason[code]"] == "4010103"
    assert received["content"]["state"] == "declined"


async def test_doubled_and_disordered_pushes_change_nothing(chain: Chain) -> None:
    """The same end as without faults; the acquirer and HiPay count each transaction once."""
    await chain.post("preludd", "/script", {"double": True, "reorder": True, "hold_seconds": 0.3})
    reference = await chain.order("ORDER_1", 4000)
    answer = await chain.authorise(reference, 4000)
    ended = chain.ended(reference, 4000, answer)
    await chain.complete(ended)
    await chain.collect(ended)
    await chain.collect(ended)

    await eventually(lambda: _has(chain, "ORDER_1", [118]))
    received = await eventually(lambda: _received(chain, 7))

    assert sum(not one["is_new"] for one in received) == 3
    assert (await chain.get("hipay", "/transactions"))["totals"]["captured_cents"] == 4000
    assert (await chain.get("acquirer", "/collections"))["count"] == 1


async def test_pushes_are_retried_until_they_are_acknowledged(chain: Chain) -> None:
    """Three lost attempts, then a success; every attempt is in Preludd's records."""
    await chain.post("preludd", "/script", {"drop_first": 3})
    reference = await chain.order("ORDER_1", 4000)

    await chain.authorise(reference, 4000)

    await eventually(lambda: _has(chain, "ORDER_1", [116]))
    (push,) = (await chain.get("preludd", "/records"))["pushes"]
    assert [attempt["result"]["status"] for attempt in push["attempts"]] == [None, None, None, 200]


async def test_a_push_without_reference_matches_the_one_order_that_fits(chain: Chain) -> None:
    """By contract, rank and amount; where two orders fit it waits and is shown."""
    await chain.order("ORDER_1", 4000)
    await chain.order("ORDER_2", 5000)
    await chain.order("ORDER_3", 5000)

    await chain.authorise(None, 4000)
    await chain.authorise(None, 5000)

    await eventually(lambda: _has(chain, "ORDER_1", [116]))
    (push,) = await eventually(lambda: _waiting_pushes(chain))
    assert push["why"] == "more than one order has its contract, rank and amount at that time"
    (transaction,) = await chain.transactions()
    assert transaction["matched_by"] == "contract, rank and amount"


async def test_a_free_credit_and_a_refund_have_different_statuses(chain: Chain) -> None:
    """A credit of a captured order is 126, one without a debit 169 and then 166."""
    debit = await chain.order("ORDER_1", 4000)
    await chain.collect(chain.ended(debit, 4000))
    await eventually(lambda: _has(chain, "ORDER_1", [118]))

    tied = await chain.order("ORDER_1", 1500, "credit")
    free = await chain.order("ORDER_2", 700, "credit")
    for reference, cents in ((tied, 1500), (free, 700)):
        answer = await chain.authorise(reference, cents, operation="credit")
        await chain.collect(chain.ended(reference, cents, answer, operation="credit"))

    await eventually(lambda: _has(chain, "ORDER_1", [126]))
    await eventually(lambda: _has(chain, "ORDER_2", [166]))
    totals = (await chain.get("hipay", "/transactions"))["totals"]
    assert (totals["captured_cents"], totals["refunded_cents"], totals["credited_cents"]) == (
        4000,
        1500,
        700,
    )
    assert (await chain.get("acquirer", "/collections"))["sum_cents"] == 4000 - 1500 - 700


async def _has(chain: Chain, order_id: str, statuses: list[int]) -> bool:
    return await chain.statuses(order_id) == statuses


async def _notified(chain: Chain, expected: list[tuple[str, str]]) -> bool:
    return await chain.notified() == expected


async def _waiting_pushes(chain: Chain) -> list[dict[str, str]]:
    waiting = await chain.get("hipay", "/waiting")
    pushes: list[dict[str, str]] = waiting["pushes"]
    return pushes


async def _received(chain: Chain, count: int) -> list[dict[str, bool]]:
    received: list[dict[str, bool]] = await chain.get("hipay", "/received")
    return received if len(received) == count else []
