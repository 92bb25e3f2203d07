"""One credential's share of the API: told in headers, refused beyond it, and no trouble of another's."""

import base64
import secrets
from typing import Any

import httpx
import pytest
from databases import Store
from running.api_alone import ApiAlone, Caller, api_alone, on_sqlite
from structlog.testing import capture_logs

from shared.payment.states import Event

#: Two at once and hardly any later.
FEW_ORDERS: dict[str, Any] = {"order_requests_per_second": 0.001, "order_requests_burst": 2}
FEW_OTHERS: dict[str, Any] = {"management_requests_per_second": 0.001, "management_requests_burst": 2}
STRANGER = "192.0.2.7"


@pytest.mark.parametrize("api_settings", [FEW_ORDERS])
async def test_orders_beyond_the_share_are_refused_and_nothing_is_stored(pos: Caller, other: Caller) -> None:
    """429, safe to retry, with when to come again; another merchant is served meanwhile."""
    for _ in range(2):
        await pos.order_async()

    refused = await pos.order()

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate.order.too.many.requests"
    assert refused.json()["error"]["details"] == {"safe_to_retry": True}
    assert 1 <= int(refused.headers["retry-after"]) <= 1000
    assert refused.headers["ratelimit-remaining"] == "0"
    assert len((await pos.get("/v1/payments")).json()["payments"]) == 2
    await other.order_async()


@pytest.mark.parametrize("api_settings", [FEW_ORDERS])
async def test_a_running_order_is_attached_to_beyond_the_share(api: ApiAlone, pos: Caller) -> None:
    """Its payment is at the terminal: 'safe to retry' would charge the customer elsewhere."""
    first = await pos.order_async(order_id="order-1")
    await pos.order_async(order_id="order-2")
    assert (await pos.order()).status_code == 429

    assert await pos.order_async(order_id="order-1") == first
    conflict = await pos.order(amount=999, order_id="order-1")
    await api.settle(await api.claim(first), Event.ANSWERED_DONE)
    replayed = await pos.order(order_id="order-1")
    back = await pos.order(order_id="order-1", transaction_type="Cancel")

    assert conflict.status_code == 409
    assert replayed.json()["payment"]["replayed"] is True
    # Its reversal would be new.
    assert (back.status_code, back.json()["error"]["details"]) == (429, {"safe_to_retry": True})


@on_sqlite
@pytest.mark.parametrize("api_settings", [{**FEW_ORDERS, **FEW_OTHERS}])
async def test_what_is_left_is_told_with_every_answer(pos: Caller) -> None:
    """Successes and errors; orders and other requests are counted apart."""
    listed = await pos.get("/v1/payments")
    missing = await pos.get("/v1/payments/pay_unknown")
    ordered = await pos.order(headers={"prefer": "respond-async"})

    told = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
    assert [listed.headers[name] for name in told] == ["2", "1", "1000"]
    assert missing.status_code == 404
    assert missing.headers["ratelimit-remaining"] == "0"
    assert [ordered.headers[name] for name in told] == ["2", "1", "1000"]


@on_sqlite
@pytest.mark.parametrize("api_settings", [FEW_OTHERS])
async def test_other_requests_have_a_share_of_their_own(pos: Caller) -> None:
    """Every route of every kind of credential; orders go on."""
    for path in ("/v1/payments", "/v1/terminals"):
        assert (await pos.get(path)).status_code == 200

    for path in ("/v1/payments", "/v1/terminals", "/v1/events", "/v1/webhooks/endpoints"):
        refused = await pos.get(path)
        assert refused.status_code == 429, path
        assert refused.json()["error"]["code"] == "rate.credential.too.many.requests"
        assert refused.json()["error"]["details"] == {}
        assert int(refused.headers["retry-after"]) >= 1
    await pos.order_async()


@pytest.mark.parametrize(
    ("share", "path"),
    [
        ("import_requests", "/v1/terminals/import?dry_run=true"),
        ("endpoint_tests", "/v1/webhooks/endpoints/whe_unknown/test"),
    ],
)
async def test_what_costs_more_is_counted_apart(sqlite_store: Store, share: str, path: str) -> None:
    """Imports look up names, test events are requests of ours."""
    async with api_alone(sqlite_store, **{f"{share}_per_second": 0.001, f"{share}_burst": 1}) as api:
        pos = await api.merchant()
        assert (await pos.post(path)).status_code in (404, 415)

        assert (await pos.post(path)).status_code == 429
        assert (await pos.get("/v1/terminals")).status_code == 200


async def log_in(api: ApiAlone, name: str, secret: str, client: str = STRANGER) -> httpx.Response:
    pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
    transport = httpx.ASGITransport(api.app, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as caller:
        # One id for all: answers are compared.
        headers = {"Authorization": f"Basic {pair}", "X-Request-Id": "one"}
        return await caller.get("/v1/payments", headers=headers)


def secret_of(pos: Caller) -> str:
    pair = base64.b64decode(pos.client.headers["Authorization"].removeprefix("Basic ")).decode()
    return pair.partition(":")[2]


@on_sqlite
@pytest.mark.parametrize("api_settings", [{"failed_logins_per_address": 3}])
async def test_failed_log_ins_are_slowed_and_logged(api: ApiAlone, pos: Caller) -> None:
    """By address: 429 after so many, known and unknown names alike; those at other addresses go on."""
    known, unknown = pos.username, f"ct_{secrets.token_hex(8)}"
    with capture_logs() as logs:
        for name in (known, unknown, known):
            assert (await log_in(api, name, "wrong")).status_code == 401

    refused = [await log_in(api, name, "wrong") for name in (known, unknown)]

    assert [answer.status_code for answer in refused] == [429, 429]
    assert refused[0].content == refused[1].content
    assert refused[0].json()["error"]["code"] == "login.client.too.many.requests"
    assert refused[0].headers["retry-after"] == "1"
    assert [refused[0].headers[f"ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == [
        "3",
        "0",
        "1",
    ]
    failed = [line for line in logs if line["event"] == "log-in failed"]
    assert [(line["name"], line["client"]) for line in failed] == [
        (name, STRANGER) for name in (known, unknown, known)
    ]
    assert (await log_in(api, unknown, "wrong", client="192.0.2.8")).status_code == 401


async def test_failed_logins_on_purpose_keep_no_pos_from_paying(sqlite_store: Store) -> None:
    """A name and secret that were right before are looked at, whatever failed at their address."""
    settings: dict[str, Any] = {"failed_logins_per_address": 1, "failed_logins_per_name": 1}
    async with api_alone(sqlite_store, **settings, credential_cache_seconds=0.001) as api:
        pos = await api.merchant()
        right = secret_of(pos)
        assert (await log_in(api, pos.username, right)).status_code == 200
        assert (await log_in(api, pos.username, "wrong")).status_code == 401
        assert (await log_in(api, pos.username, "wrong")).status_code == 429

        assert (await log_in(api, pos.username, right)).status_code == 200
