"""The OpenAPI document against the running API, by requests that are made from it (schemathesis).

Each operation gets requests that the document allows and requests that it does not: what comes back is
described, what is allowed is accepted, what is not allowed is refused, and nothing is a server error.
"""

import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import schemathesis
from databases import Store
from hypothesis import HealthCheck, Phase, given, seed, settings
from orders import order_for
from running.served_api import ServedApi, served_api
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.openapi.document import openapi_document
from shared.network.hosts import Address
from shared.security.credentials import CredentialKind

#: Requests of each kind for each operation: more find more, and take longer.
EXAMPLES: Final = int(os.environ.get("DOCUMENT_EXAMPLES", "2"))


def _operations() -> Iterator[Any]:
    for found in schemathesis.openapi.from_dict(openapi_document()).get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


OPERATIONS: Final = {f"{operation.method.upper()} {operation.path}": operation for operation in _operations()}
CHECKS: Final = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
)
#: No schema says which of these is right: places that an earlier answer named. Nor which host has a terminal.
PLACES: Final = ("cursor", "after")
#: A file of terminals is a text to the document, days have to fit each other, and a probe needs a broker.
BY_WORDS_ONLY: Final = ("POST /v1/terminals/import", "GET /v1/totals", "GET /v1/operator/totals")
NEEDS_BROKER: Final = "POST /v1/terminals/{terminal_id}/probe"
CASES: Final = [
    pytest.param(name, mode, id=f"{name}-{'allowed' if mode is GenerationMode.POSITIVE else 'not allowed'}")
    for name, operation in OPERATIONS.items()
    for mode in GenerationMode
    # Where nothing is given, nothing can be wrong.
    if mode is GenerationMode.POSITIVE or operation.body or list(operation.iter_parameters())
]


async def loopback(_host: str) -> Sequence[Address]:
    """Stand in for the system's resolver: generated names are nobody's to ask about."""
    return (ip_address("127.0.0.9"),)


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    """One API for all of them: each starts with what the others left."""
    path = tmp_path_factory.mktemp("document") / "cloud-terminal.db"
    shutil.copyfile(sqlite_template, path)
    store = Store(f"sqlite+aiosqlite:///{path}")
    # Nobody takes the payments that are made here.
    limits = {
        "waiting_limit_per_terminal": 100_000,
        "waiting_limit_per_merchant": 100_000,
        "waiting_limit": 100_000,
    }
    with served_api(store, lookup=loopback, notify_allowed_networks=("127.0.0.0/8",), **limits) as running:
        yield running


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_the_api_does_what_its_document_says(served: ServedApi, name: str, mode: GenerationMode) -> None:
    """Statuses, media types, headers, bodies; and whether a request is accepted."""
    operation = OPERATIONS[name]
    logins = _logins(served)
    names = _names(served, logins["basic"]) | served.run(_managed(served))
    if name == NEEDS_BROKER:
        names.clear()
    (security,) = operation.definition.raw.get("security", [{"none": []}])
    headers = {**logins[next(iter(security))], "Prefer": "respond-async"}
    checks = [*CHECKS]
    if mode is GenerationMode.NEGATIVE:
        checks.append(negative_data_rejection)
    elif name not in BY_WORDS_ONLY:
        checks.append(positive_data_acceptance)

    # Every other request is about something that there is.
    known = itertools.cycle((True, False))

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            _make_right(case)
            if next(known) and case.path_parameters:
                case.path_parameters = {**case.path_parameters, **_of(names, case.path_parameters)}
        case.call_and_validate(base_url=served.url, headers=headers, checks=checks)

    ask()


def _of(names: dict[str, str], parameters: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in names.items() if name in parameters}


def _make_right(case: Any) -> None:
    """Replace what a schema cannot say."""
    # A tag is that of an answer, which a schema does not know.
    (case.headers or {}).pop("If-Match", None)
    if case.query:
        case.query = {name: value for name, value in case.query.items() if name not in PLACES}
    if isinstance(case.body, dict):
        _make_an_operators_body_right(case)
        for name in (name for name in PLACES if name in case.body):
            del case.body[name]
        where = case.body.get("pos_technical_info", {})
        if "terminal_id" in where:
            where["terminal_id"] = "till-1"
        for address in (case.body, where.get("host_information", {})):
            if "host" in address:
                address["host"] = "terminal.example"
        case.body.get("order", {}).pop("webhook_endpoint_id", None)
        if "/webhooks/endpoints" in case.path and "url" in case.body:
            case.body["url"] = "https://127.0.0.1/"


def _make_an_operators_body_right(case: Any) -> None:
    if "networks" in case.body:
        case.body["networks"] = ["127.0.0.0/8"]
    if case.operation.label == "POST /v1/operator/credentials":
        # Which kinds have a merchant, a role or a label.
        case.body = {"kind": "gateway", "expires_at": None}
    if "/operator/credentials/" in case.path:
        case.body.pop("role", None)


def _logins(served: ServedApi) -> dict[str, dict[str, str]]:
    callers = {
        "basic": served.run(served.api.merchant()),
        "gateway": served.run(served.api.caller(CredentialKind.GATEWAY)),
        "operator": served.run(served.api.caller(CredentialKind.OPERATOR)),
    }
    found = {
        kind: {"Authorization": caller.client.headers["authorization"]} for kind, caller in callers.items()
    }
    return {"none": {}, **found}


async def _managed(served: ServedApi) -> dict[str, str]:
    """Make what an operator's paths may name; nobody uses it."""
    merchant = await served.api.merchant()
    assert merchant.merchant_id is not None
    return {"merchant_id": merchant.merchant_id, "username": merchant.username}


def _names(served: ServedApi, login: dict[str, str]) -> dict[str, str]:
    """Make what paths may name; return it by the parameter's name."""
    with httpx.Client(base_url=served.url, headers={**login, "Prefer": "respond-async"}) as client:
        client.put("/v1/terminals/till-1", json={"host": "127.0.0.9"}).raise_for_status()
        order = order_for("127.0.0.9", 100)
        accepted = client.post("/v1/connector/order", json=order)
        assert accepted.status_code == 202, accepted.text
        payment_id = accepted.json()["payment"]["id"]
        # Nobody waits for one that has ended.
        client.post(f"/v1/payments/{payment_id}/cancel").raise_for_status()
        made = client.post("/v1/webhooks/endpoints", json={"url": "https://127.0.0.1/"})
        endpoint_id = made.json()["id"]
        sent = client.post(f"/v1/webhooks/endpoints/{endpoint_id}/test")
        return {
            "terminal_id": "till-1",
            "payment_id": payment_id,
            "endpoint_id": endpoint_id,
            "delivery_id": sent.json()["delivery_id"],
        }
