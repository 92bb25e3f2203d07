"""The matrix of routes and clients: who may do what, one row for every route."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from databases import Store
from running.api_alone import ApiAlone, Caller, api_alone
from starlette.routing import Route

from api.routers import ROUTERS
from shared.security.credentials import CredentialKind, Role

#: Kinds of client, as the columns are called below.
CALLERS: Final = (
    "none", "wrong", "public", "private", "other", "gateway", "reader", "decider", "administrator",
)  # fmt: skip

_ROLES: Final = {"reader": 403, "decider": 403, "administrator": 403}
_MERCHANT: Final = {"none": 401, "wrong": 401, "public": 403, "gateway": 403, **_ROLES}
_OPERATOR: Final = {"none": 401, "wrong": 401, "public": 403, "private": 403, "other": 403, "gateway": 403}
_GATEWAY: Final = {"none": 401, "wrong": 401, "public": 403, "private": 403, "other": 403, **_ROLES}


def _merchants(own: int, others: int | None = None) -> dict[str, int]:
    """Return a row of a merchant's path: what it answers its own merchant, and another one."""
    return {**_MERCHANT, "private": own, "other": own if others is None else others}


def _operators(status: int) -> dict[str, int]:
    """Return a row of a path for every operator."""
    return {**_OPERATOR, **dict.fromkeys(_ROLES, status)}


def _deciders(status: int) -> dict[str, int]:
    """Return a row of a path for operators who decide, and administrators."""
    return {**_operators(status), "reader": 403}


def _administrators(status: int) -> dict[str, int]:
    return {**_deciders(status), "decider": 403}


#: What each route answers to whom. Paths name the private merchant's own payment, terminal and endpoint: no
#: other merchant finds them. Bodies are empty objects, so that whoever may enter reads what is missing.
MATRIX: Final[dict[tuple[str, str], dict[str, int]]] = {
    ("POST", "/v1/connector/order"): _merchants(400),
    ("GET", "/v1/connector/healthcheck"): dict.fromkeys(CALLERS, 200),
    ("GET", "/v1/payments"): _merchants(200),
    ("GET", "/v1/payments/{payment_id}"): _merchants(200, 404),
    ("GET", "/v1/payments/{payment_id}/responses"): _merchants(200, 404),
    ("GET", "/v1/payments/charged-twice"): _merchants(200),
    ("GET", "/v1/payments/export"): _merchants(200),
    ("GET", "/v1/totals"): _merchants(400),
    ("GET", "/v1/operator/payments"): _operators(200),
    ("GET", "/v1/operator/payments/charged-twice"): _operators(200),
    ("GET", "/v1/operator/payments/export"): _operators(200),
    ("GET", "/v1/operator/totals"): _operators(400),
    ("GET", "/v1/payments/{payment_id}/events"): _merchants(200, 404),
    ("POST", "/v1/payments/{payment_id}/cancel"): _merchants(200, 404),
    ("POST", "/v1/payments/{payment_id}/release"): _merchants(409, 404),
    ("POST", "/v1/gateway/evidence"): {**_GATEWAY, "gateway": 400},
    ("GET", "/v1/operator/doubts"): _operators(200),
    ("GET", "/v1/operator/audit"): _operators(200),
    ("GET", "/v1/operator/terminals"): _operators(200),
    ("GET", "/v1/operator/overview"): _operators(200),
    ("GET", "/v1/operator/workers"): _operators(200),
    ("POST", "/v1/operator/workers/{worker_id}/drain"): _administrators(400),
    ("GET", "/v1/operator/merchants"): _operators(200),
    ("POST", "/v1/operator/merchants"): _administrators(400),
    ("GET", "/v1/operator/merchants/{merchant_id}"): _operators(200),
    ("PATCH", "/v1/operator/merchants/{merchant_id}"): _administrators(200),
    ("POST", "/v1/operator/merchants/{merchant_id}/suspend"): _administrators(400),
    ("POST", "/v1/operator/merchants/{merchant_id}/resume"): _administrators(200),
    ("GET", "/v1/operator/credentials"): _operators(200),
    ("POST", "/v1/operator/credentials"): _administrators(400),
    ("GET", "/v1/operator/credentials/{username}"): _operators(200),
    ("PATCH", "/v1/operator/credentials/{username}"): _administrators(200),
    ("POST", "/v1/operator/credentials/{username}/rotate"): _administrators(200),
    ("POST", "/v1/operator/credentials/{username}/revoke"): _administrators(400),
    ("GET", "/v1/operator/contradictions"): _operators(200),
    ("GET", "/v1/operator/payments/{payment_id}"): _operators(200),
    ("POST", "/v1/operator/payments/{payment_id}/resolve"): _deciders(400),
    ("POST", "/v1/operator/payments/{payment_id}/release"): _deciders(400),
    ("GET", "/v1/terminals"): _merchants(200),
    ("POST", "/v1/terminals/import"): _merchants(415),
    ("GET", "/v1/terminals/{terminal_id}"): _merchants(200, 404),
    ("PUT", "/v1/terminals/{terminal_id}"): _merchants(400),
    ("POST", "/v1/terminals/{terminal_id}/disable"): _merchants(200, 404),
    ("POST", "/v1/terminals/{terminal_id}/enable"): _merchants(200, 404),
    ("POST", "/v1/terminals/{terminal_id}/replace"): _merchants(200, 404),
    # There is no worker: the broker of these tests takes no probe.
    ("POST", "/v1/terminals/{terminal_id}/probe"): _merchants(500, 404),
    ("POST", "/v1/terminals/{terminal_id}/release"): _merchants(409, 404),
    ("DELETE", "/v1/terminals/{terminal_id}"): _merchants(204, 404),
    ("PUT", "/v1/operator/merchants/{merchant_id}/terminals/{terminal_id}/sole-use"): _administrators(404),
    ("DELETE", "/v1/operator/merchants/{merchant_id}/terminals/{terminal_id}/sole-use"): _administrators(204),
    ("POST", "/v1/webhooks/endpoints"): _merchants(400),
    ("GET", "/v1/webhooks/endpoints"): _merchants(200),
    ("GET", "/v1/webhooks/endpoints/{endpoint_id}"): _merchants(200, 404),
    ("PATCH", "/v1/webhooks/endpoints/{endpoint_id}"): _merchants(200, 404),
    ("POST", "/v1/webhooks/endpoints/{endpoint_id}/rotate-secret"): _merchants(200, 404),
    ("POST", "/v1/webhooks/endpoints/{endpoint_id}/test"): _merchants(202, 404),
    ("GET", "/v1/webhooks/deliveries"): _merchants(200),
    ("POST", "/v1/webhooks/deliveries/replay"): _merchants(400),
    ("GET", "/v1/webhooks/deliveries/{delivery_id}"): _merchants(200, 404),
    ("POST", "/v1/webhooks/deliveries/{delivery_id}/replay"): _merchants(202, 404),
    ("GET", "/v1/events"): _merchants(200),
    ("GET", "/v1/operator/deliveries"): _operators(200),
    ("POST", "/v1/operator/deliveries/replay"): _deciders(400),
    ("GET", "/v1/operator/deliveries/{delivery_id}"): _operators(200),
    ("POST", "/v1/operator/deliveries/{delivery_id}/replay"): _deciders(202),
}


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    """A new route says who may use it."""
    routes = {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }

    assert MATRIX.keys() == routes
    for row in MATRIX.values():
        assert set(row) == set(CALLERS)


@pytest.fixture
async def api(sqlite_store: Store) -> AsyncIterator[ApiAlone]:
    async with api_alone(
        sqlite_store, notify_allow_http=True, notify_allowed_networks=("127.0.0.0/8",)
    ) as running:
        yield running


async def _callers(api: ApiAlone) -> dict[str, Caller]:
    private = await api.merchant()
    wrong = await api.caller(CredentialKind.PRIVATE, private.merchant_id)
    none = await api.caller(CredentialKind.PRIVATE, private.merchant_id)
    wrong.client.auth = (wrong.username, "wrong")
    del none.client.headers["authorization"]
    return {
        "none": none,
        "wrong": wrong,
        "public": await api.caller(CredentialKind.PUBLIC, private.merchant_id),
        "private": private,
        "other": await api.merchant(),
        "gateway": await api.caller(CredentialKind.GATEWAY),
        "reader": await api.caller(CredentialKind.OPERATOR, role=Role.READ),
        "decider": await api.caller(CredentialKind.OPERATOR, role=Role.SETTLE),
        "administrator": await api.caller(CredentialKind.OPERATOR),
    }


async def _names(private: Caller) -> dict[str, str]:
    """Make what the paths name."""
    put = await private.client.put("/v1/terminals/till-1", json={"host": "127.0.0.9"})
    assert put.status_code == 201, put.text
    made = await private.post("/v1/webhooks/endpoints", {"url": "http://127.0.0.1:9/"})
    assert made.status_code == 201, made.text
    endpoint_id = made.json()["id"]
    sent = await private.post(f"/v1/webhooks/endpoints/{endpoint_id}/test")
    assert sent.status_code == 202, sent.text
    assert private.merchant_id is not None
    return {
        "payment_id": await private.order_async(),
        "terminal_id": "till-1",
        "endpoint_id": endpoint_id,
        "delivery_id": sent.json()["delivery_id"],
        "merchant_id": private.merchant_id,
        "username": private.username,
        "worker_id": "worker-1",
    }


async def test_each_route_answers_each_caller_as_its_row_says(api: ApiAlone) -> None:
    """A stranger, wrong credentials, each kind of credential, and another merchant's."""
    callers = await _callers(api)
    names = await _names(callers["private"])
    differences: dict[Any, Any] = {}
    # Its own merchant last: what it deletes is there for the others.
    order = sorted(CALLERS, key=lambda name: name == "private")
    for name in order:
        for (method, path), row in MATRIX.items():
            body: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": {}}
            answered = await callers[name].client.request(method, path.format(**names), **body)
            if answered.status_code != row[name]:
                differences[name, method, path] = (answered.status_code, row[name], answered.text[:200])

    assert differences == {}


async def test_what_a_stranger_reads_does_not_depend_on_what_is_there(api: ApiAlone) -> None:
    """Another merchant's payment and none at all have the same answer."""
    callers = await _callers(api)
    names = await _names(callers["private"])
    unknown = {
        **names,
        "payment_id": "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE",
        "terminal_id": "till-2",
        "endpoint_id": "whe_2",
    }
    same_id = {"x-request-id": "one"}
    for (method, path), row in MATRIX.items():
        if row["other"] == 404:
            answers = [
                (
                    await callers["other"].client.request(
                        method, path.format(**given), json={}, headers=same_id
                    )
                ).text
                for given in (names, unknown)
            ]
            assert answers[0] == answers[1], path
