"""Manners of the API's own routes: errors that lead on, and entity tags."""

import pytest
from running.api_alone import ApiAlone, Caller, on_sqlite

from api.http.errors import ApiError

pytestmark = on_sqlite


async def test_an_error_of_our_own_routes_names_its_request_and_leads_to_its_explanation(pos: Caller) -> None:
    """The id is that of the header, which is in the log; the page has a section for this error."""
    answer = await pos.client.get("/v1/payments/pay_unknown", headers={"x-request-id": "till-3-0815"})

    error = answer.json()["error"]
    assert (error["request_id"], answer.headers["x-request-id"]) == ("till-3-0815", "till-3-0815")
    path, _, anchor = error["doc_url"].partition("#")
    page = await pos.client.get(path)
    assert page.status_code == 200
    assert f'<section id="{anchor}"><h2>404 <code>{error["code"]}</code>' in page.text


@pytest.mark.parametrize("path", ["/v1/connector/order", "/v1/connector/nothing"])
async def test_an_error_under_the_published_contract_has_its_members_only(pos: Caller, path: str) -> None:
    """The id is in the header alone."""
    answer = await pos.post(path, {})

    assert answer.status_code in (400, 404)
    assert answer.json()["error"].keys() == {"status", "code", "message", "description", "details"}
    assert answer.headers["x-request-id"]


def _codes(root: type[ApiError]) -> set[str]:
    own = {code} if isinstance(code := vars(root).get("code"), str) else set()
    return own.union(*map(_codes, root.__subclasses__()))


async def test_the_page_of_errors_explains_every_error(pos: Caller) -> None:
    """Whatever router raises it."""
    page = (await pos.client.get("/docs/errors")).text

    assert [code for code in _codes(ApiError) if f"<code>{code}</code>" not in page] == []


async def test_a_client_that_has_the_answer_already_gets_a_304(api: ApiAlone, pos: Caller) -> None:
    """Until the payment changes; a list has a tag, too, and another merchant's answer is none of theirs."""
    payment_id = await pos.order_async()
    path = f"/v1/payments/{payment_id}"
    first = await pos.client.get(path)
    tag = first.headers["etag"]

    same = await pos.client.get(path, headers={"if-none-match": f'"other", W/{tag}'})
    await api.claim(payment_id)
    changed = await pos.client.get(path, headers={"if-none-match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert "content-length" not in same.headers
    assert "content-type" not in same.headers
    assert (changed.status_code, changed.json()["payment"]["state"]) == (200, "in_session")
    assert changed.headers["etag"] != tag
    assert (await pos.client.get("/v1/payments")).headers["etag"]
