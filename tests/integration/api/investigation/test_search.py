"""Search of payments by whatever a customer or a receipt says, over all merchants and in a merchant's own."""

from typing import Any

import pytest
from payments import change
from running.api_alone import ApiAlone, Caller, on_sqlite

from shared.payment.payment import Result
from shared.payment.states import Event
from shared.security.credentials import CredentialKind
from shared.storage.investigation import search

VISA = Result(
    paid_cents=250,
    masked_card="497010******0003",
    authorisation_number="184117",
    receipt="005 001 000042 C @\nNUM AUTO : 184117",
)
CB = Result(masked_card="513265******0007", authorisation_number="777001", receipt="005 001 000043 C")


@pytest.fixture
async def operator(api: ApiAlone) -> Caller:
    return await api.caller(CredentialKind.OPERATOR)


async def paid(api: ApiAlone, pos: Caller, result: Result = VISA, **order: Any) -> str:
    """Sell once; return the payment's id."""
    payment_id = await pos.order_async(**order)
    await api.settle(await api.claim(payment_id), Event.ANSWERED_DONE, result)
    return payment_id


async def found(client: Caller, path: str = "/v1/operator/payments", **query: str) -> list[str]:
    answered = await client.get(path, **query)
    assert answered.status_code == 200, answered.text
    return [each.get("payment", each)["id"] for each in answered.json()["payments"]]


BY: dict[str, dict[str, str]] = {
    "order": {"order_id": "basket-7"},
    "card": {"card": "0003"},
    "amount": {"amount": "250"},
    "range of amounts": {"amount_from": "200", "amount_to": "300"},
    "authorisation": {"authorisation_number": "184117"},
    "receipt": {"receipt_number": "000042"},
    "terminal": {"terminal_address": "127.0.0.9:8888"},
    "time": {"created_from": "2026-01-01T00:00:00Z", "card": "0003"},
    "several": {"card": "0003", "amount": "250", "state": "succeeded", "operation": "debit"},
}


async def test_a_payment_is_found_by_what_a_customer_or_a_receipt_says(
    api: ApiAlone, operator: Caller
) -> None:
    """Each alone, over merchants; what does not fit is not found."""
    pos, other = await api.merchant(), await api.merchant()
    wanted = await paid(api, pos, host="127.0.0.9", amount=250, order_id="basket-7")
    await paid(api, other, CB, host="127.0.0.10", amount=900, order_id="basket-8")

    for name, query in BY.items():
        assert await found(operator, **query) == [wanted], name
    for query in ({"card": "0004"}, {"amount": "251"}, {"receipt_number": "99999"}, {"state": "refused"}):
        assert await found(operator, **query) == [], query


async def test_a_merchant_finds_its_own_payments_only(api: ApiAlone) -> None:
    """By the same parameters."""
    pos, other = await api.merchant(), await api.merchant()
    own = await paid(api, pos, host="127.0.0.9", amount=250, order_id="basket-7")
    await paid(api, other, host="127.0.0.10", amount=250, order_id="basket-7")

    for name, query in BY.items():
        assert await found(pos, "/v1/payments", **query) == [own], name


async def test_an_operator_finds_every_merchants_payment_or_ones(api: ApiAlone, operator: Caller) -> None:
    """The newest first, with its merchant and terminal, in pages."""
    pos, other = await api.merchant(), await api.merchant()
    first = await paid(api, pos, host="127.0.0.9")
    await change(api.database, "UPDATE payments SET created_at = created_at - 1000")
    second = await paid(api, other, host="127.0.0.10")

    page = (await operator.get("/v1/operator/payments", card="0003", limit="1")).json()

    assert [each["payment"]["id"] for each in page["payments"]] == [second]
    assert page["payments"][0]["merchant_id"] == other.merchant_id
    assert page["payments"][0]["terminal_address"] == "127.0.0.10:8888"
    assert await found(operator, card="0003", limit="1", cursor=page["next"]) == [first]
    assert await found(operator, merchant=str(pos.merchant_id)) == [first]
    assert await found(operator) == [second, first]


@pytest.mark.parametrize("query", [{"amount": "250"}, {"state": "succeeded", "amount": "250"}], ids=str)
async def test_a_search_that_looks_through_many_goes_on_page_by_page(
    api: ApiAlone, pos: Caller, operator: Caller, query: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page has a limit of what it looks through; `next` leads to what lies behind it."""
    wanted = await paid(api, pos, host="127.0.0.9", amount=250)
    await change(api.database, "UPDATE payments SET created_at = created_at - 1000")
    for number in range(4):
        await paid(api, pos, CB, host="127.0.0.9", amount=900 + number)
    monkeypatch.setattr(search, "EXAMINED_AT_MOST", 2)

    page = (await operator.get("/v1/operator/payments", **query)).json()
    pages = 1
    while "next" in page and not page["payments"]:
        page = (await operator.get("/v1/operator/payments", cursor=page["next"], **query)).json()
        pages += 1

    assert [each["payment"]["id"] for each in page["payments"]] == [wanted]
    assert pages == 3


async def test_open_payments_are_found_by_their_state(api: ApiAlone, pos: Caller, operator: Caller) -> None:
    """They have an index of their own."""
    waiting = await pos.order_async(host="127.0.0.9")
    await paid(api, pos, host="127.0.0.10")

    assert await found(operator, state="queued") == [waiting]
    assert await found(operator, state="in_session") == []


@on_sqlite
@pytest.mark.parametrize(
    "query",
    [{"card": "03"}, {"card": "abcd"}, {"amount": "-1"}, {"amount": "1.5"}, {"receipt_number": "%"},
     {"state": "paid"}, {"colour": "red"}, {"created_from": "yesterday"}],
    ids=str,
)  # fmt: skip
async def test_a_wrong_parameter_is_refused(operator: Caller, pos: Caller, query: dict[str, str]) -> None:
    """A filter that is not understood would show other payments than the ones that were meant."""
    for client, path in ((operator, "/v1/operator/payments"), (pos, "/v1/payments")):
        answered = await client.get(path, **query)
        assert (answered.status_code, answered.json()["error"]["details"]) == (
            400,
            {"parameter": next(iter(query))},
        )


@on_sqlite
async def test_only_operators_search_over_merchants(pos: Caller) -> None:
    """A merchant's credential is refused there."""
    assert (await pos.get("/v1/operator/payments", card="0003")).status_code == 403
    assert (await pos.get("/v1/operator/payments/charged-twice", card="0003")).status_code == 403
