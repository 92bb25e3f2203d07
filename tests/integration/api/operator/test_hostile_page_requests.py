"""The operators' page under requests that no browser sends: refused, and never an error of ours."""

from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from running.api_alone import ApiAlone, on_postgres
from running.operator_browser import logged_in
from stored.deliveries import add_endpoint_row, add_waiting

from shared.security.credentials import CredentialKind, Role

QUERIES = {
    "/payments": ("order", "card", "amount", "number", "terminal", "state", "merchant", "cursor"),
    "/terminals": ("merchant", "after"),
    "/merchants": ("name", "cursor"),
    "/deliveries": ("state", "cursor"),
    "/audit": ("subject", "cursor"),
}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def api_settings() -> dict[str, Any]:
    """Serve the page, which is off by default."""
    return {"operator_page": True}


def client_of(api: ApiAlone) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


@on_postgres
async def test_a_strangers_form_is_refused_and_no_error_of_ours(api: ApiAlone) -> None:
    """Too many fields, U+0000, bytes that are no text; headers that name no host."""
    name, secret = await api.login(CredentialKind.OPERATOR)
    right = f"username={name}&secret={secret}"
    async with client_of(api) as stranger:
        for body, status in (
            ("&".join(f"field{number}=1" for number in range(51)), 400),
            ("username=%00&secret=%00", 401),
            ("username=%ff&secret=%ed%a0%80", 401),
        ):
            answered = await stranger.post("/operator/login", content=body, headers=FORM)
            assert answered.status_code == status, body
        for origin in ("null", "http://[", "http://[::1", ""):
            answered = await stranger.post(
                "/operator/login", content=right, headers={**FORM, "origin": origin}
            )
            assert answered.status_code == 403, origin
        no_host = {**FORM, "origin": "null", "host": ""}
        assert (await stranger.post("/operator/login", content=right, headers=no_host)).status_code == 403
        answered = await stranger.post("/operator/login", content=right, headers={**FORM, "host": "["})
        assert answered.status_code == 303
        assert "secure" in answered.headers["set-cookie"].lower()


@on_postgres
async def test_a_filter_of_the_page_is_bounded_as_the_apis_own(api: ApiAlone) -> None:
    """U+0000, which PostgreSQL refuses, thousands of digits, long texts."""
    browser = await logged_in(api, Role.READ)
    async with aclosing(browser.client) as client:
        for page, parameters in QUERIES.items():
            for parameter in parameters:
                for text in ("\0", "1" * 5000, "x" * 256):
                    answered = await client.get(f"/operator{page}?{parameter}={quote(text)}")
                    assert answered.status_code == 400, (page, parameter, text[:5])


@on_postgres
async def test_a_reason_on_the_page_is_bounded_as_the_apis_own(api: ApiAlone) -> None:
    """It goes into the audit trail: no U+0000, at most 500 characters, for every action."""
    pos = await api.merchant()
    endpoint_id = await add_endpoint_row(api.database, str(pos.merchant_id))
    (delivery_id,) = await add_waiting(api.database, str(pos.merchant_id), endpoint_id)
    payment_id = await api.in_doubt(pos)
    browser = await logged_in(api, Role.ADMIN)
    async with aclosing(browser.client):
        for path in (
            f"/deliveries/{delivery_id}/replay",
            f"/payments/{payment_id}/release",
            f"/merchants/{pos.merchant_id}/suspend",
            f"/merchants/{pos.merchant_id}/resume",
            f"/credentials/{pos.username}/rotate",
            f"/credentials/{pos.username}/revoke",
        ):
            for reason in ("a\0b", "x" * 501):
                await browser.send(path, 400, reason=reason)
