"""'I was charged twice': payments of one card, amount and terminal near each other, side by side."""

from typing import Any

import pytest
from payments import change, lose
from running.api_alone import ApiAlone, Caller

from shared.payment.payment import Result
from shared.payment.states import Event
from shared.security.credentials import CredentialKind

CARD = "497010******0003"


@pytest.fixture
async def operator(api: ApiAlone) -> Caller:
    return await api.caller(CredentialKind.OPERATOR)


async def paid(
    api: ApiAlone, pos: Caller, card: str = CARD, event: Event = Event.ANSWERED_DONE, **order: Any
) -> str:
    payment_id = await pos.order_async(**order)
    await api.settle(await api.claim(payment_id), event, Result(masked_card=card))
    return payment_id


async def groups(client: Caller, path: str, **query: str) -> list[dict[str, Any]]:
    answered = await client.get(path, **query)
    assert answered.status_code == 200, answered.text
    found: list[dict[str, Any]] = answered.json()["groups"]
    return found


async def earlier(api: ApiAlone, payment_id: str, minutes: int) -> None:
    await change(
        api.database, "UPDATE payments SET created_at = created_at - :ms WHERE id = :id", ms=minutes * 60_000,
        id=payment_id,
    )  # fmt: skip


async def test_two_equal_charges_near_each_other_are_shown_side_by_side(
    api: ApiAlone, operator: Caller
) -> None:
    """With what was given back; another card, amount, terminal, merchant or hour is none of them."""
    pos, other = await api.merchant(), await api.merchant()
    first = await paid(api, pos, order_id="a", amount=4250)
    await earlier(api, first, 20)
    second = await paid(api, pos, order_id="b", amount=4250)
    old = await paid(api, pos, order_id="c", amount=4250)
    await earlier(api, old, 300)
    await paid(api, pos, "513265******0007", order_id="d", amount=4250)
    await paid(api, pos, order_id="e", amount=4251)
    await paid(api, pos, order_id="f", amount=4250, host="127.0.0.10")
    await paid(api, other, order_id="g", amount=4250)
    await paid(api, pos, order_id="h", amount=4250, event=Event.ANSWERED_REFUSED)
    refund = await paid(api, pos, order_id="b", amount=4250, transaction_type="Credit")

    for client, path in (
        (operator, "/v1/operator/payments/charged-twice"),
        (pos, "/v1/payments/charged-twice"),
    ):
        (group,) = await groups(client, path, card="0003")
        assert (group["charged"], group["may_have_charged"], group["given_back"]) == (2, 0, 1)
        assert (group["amount"], group["terminal_address"]) == (4250, "127.0.0.9:8888")
        ids = [each["id"] for each in group["payments"]]
        assert ids[0] == first
        assert {second, refund} <= set(ids)
        assert old not in ids
    assert await groups(other, "/v1/payments/charged-twice", card="0003") == []
    wide = await groups(operator, "/v1/operator/payments/charged-twice", card="0003", within_minutes="400")
    assert old in [each["id"] for each in wide[0]["payments"]]


async def test_a_doubt_before_a_charge_may_be_the_second_one(
    api: ApiAlone, pos: Caller, operator: Caller
) -> None:
    """A payment in doubt has no card: it is shown beside each of its amount and terminal."""
    doubtful = await pos.order_async(order_id="a", amount=4250)
    await lose(api.database, await api.claim(doubtful))
    await change(api.database, "UPDATE terminal_locks SET held_by = NULL, worker = NULL, claim = NULL")
    charged = await paid(api, pos, order_id="b", amount=4250)

    (group,) = await groups(operator, "/v1/operator/payments/charged-twice", card="0003")

    assert (group["charged"], group["may_have_charged"]) == (1, 1)
    assert {each["id"] for each in group["payments"]} == {doubtful, charged}
