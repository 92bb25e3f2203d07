"""Requests with an odd path, method, encoding or query: each has an answer in the contract's form."""

from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from databases import Store
from running.api_alone import ApiAlone, api_alone

from shared.security.credentials import CredentialKind


@pytest.fixture
async def api(sqlite_store: Store) -> AsyncIterator[ApiAlone]:
    """For what is answered before a database is asked."""
    async with api_alone(sqlite_store) as running:
        yield running


@pytest.fixture
async def api_on_both(store: Store) -> AsyncIterator[ApiAlone]:
    """On one database and on the other: they do not take the same texts."""
    async with api_alone(store) as running:
        yield running


def code_of(answered: httpx.Response) -> str:
    found: str = answered.json()["error"]["code"]
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/v1/terminals/a%00b",
        "/v1/payments/%00",
        "/v1/payments/%00/events",
        "/v1/webhooks/endpoints/whe_%00",
        "/v1/webhooks/deliveries/%00",
        "/v1/%00",
        "/%00",
    ],
)
async def test_u0000_in_a_path_names_nothing(api_on_both: ApiAlone, path: str) -> None:
    """404 on both databases, and no error in the log."""
    pos = await api_on_both.merchant()
    with structlog.testing.capture_logs() as log:
        answered = await pos.get(path)

    assert (answered.status_code, code_of(answered)) == (404, "unknown.resource.not.found")
    assert not [line for line in log if line["log_level"] == "error"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/operator/deliveries/%00",
        "/v1/operator/payments/%00",
        "/v1/operator/merchants/%00/terminals/a/sole-use",
    ],
)
async def test_u0000_names_nothing_for_an_operator_either(api_on_both: ApiAlone, path: str) -> None:
    """As for merchants."""
    operator = await api_on_both.caller(CredentialKind.OPERATOR)

    assert (await operator.client.put(path)).status_code == 404
    assert (await operator.get(path)).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "order_id=%00",
        "terminal_address=a%00",
        "terminal=%00",
        "cursor=%00",
        "cursor=AA",
        "%00=1",
        "state=%00",
        "limit=%00",
    ],
)
async def test_u0000_in_a_query_is_a_400(api_on_both: ApiAlone, query: str) -> None:
    """Whatever the parameter."""
    pos = await api_on_both.merchant()
    answered = await pos.client.get(f"/v1/payments?{query}")

    assert (answered.status_code, code_of(answered)) == (400, "invalid.query.bad.request")


async def test_a_long_query_is_refused_before_it_is_taken_apart(api: ApiAlone) -> None:
    """Thirty thousand parameters are no filter."""
    pos = await api.merchant()
    answered = await pos.client.get("/v1/payments?" + "a&" * 30_000)

    assert (answered.status_code, code_of(answered)) == (400, "invalid.query.bad.request")
    assert len(answered.text) < 1000


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/v1/terminals/till-1", "DELETE, GET, HEAD, PUT"),
        ("GET", "/v1/connector/order", "POST"),
        ("DELETE", "/v1/webhooks/endpoints", "GET, HEAD, POST"),
        ("PUT", "/v1/webhooks/endpoints/whe_1", "GET, HEAD, PATCH"),
        ("POST", "/v1/operator/merchants/m/terminals/t/sole-use", "DELETE, PUT"),
        ("HEAD", "/v1/connector/order", "POST"),
    ],
)
async def test_a_405_names_every_method_of_the_path(
    api: ApiAlone, method: str, path: str, allow: str
) -> None:
    """Whichever route comes first."""
    pos = await api.merchant()
    answered = await pos.client.request(method, path)

    assert (answered.status_code, answered.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/connector/healthcheck", "/v1/terminals", "/docs"])
async def test_head_is_get_without_a_body(api: ApiAlone, path: str) -> None:
    """Same status, same length."""
    pos = await api.merchant()
    got, head = await pos.get(path), await pos.client.head(path)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("path", ["/v1/payments/", "/v1/connector/healthcheck/", "/v1/terminals/", "/docs/"])
async def test_a_trailing_slash_is_another_name(api: ApiAlone, path: str) -> None:
    """404 and no redirection, which would be built from the Host header."""
    pos = await api.merchant()
    answered = await pos.client.get(path, headers={"Host": "elsewhere.example"})

    assert (answered.status_code, "location" in answered.headers) == (404, False)
    assert "elsewhere" not in answered.text


@pytest.mark.parametrize("path", ["/v1/connector/order", "/v1/webhooks/endpoints", "/v1/terminals/import"])
async def test_an_encoded_body_is_a_415(api: ApiAlone, path: str) -> None:
    """It would be another size than the one that is checked; `identity` is none."""
    pos = await api.merchant()
    answers = {
        encoding: await pos.post(path, {}, content_encoding=encoding)
        for encoding in ("gzip", "br", "identity, gzip", "identity", "IDENTITY")
    }

    for encoding in ("gzip", "br", "identity, gzip"):
        assert answers[encoding].status_code == 415
        assert code_of(answers[encoding]) == "encoded.body.unsupported.media.type"
    for encoding in ("identity", "IDENTITY"):
        assert "encoded" not in answers[encoding].text


async def test_answers_are_stored_by_nobody(api: ApiAlone) -> None:
    """Results, errors, pages: they are one merchant's own."""
    pos = await api.merchant()
    for path in ("/v1/payments", "/v1/nothing", "/v1/payments/%00", "/v1/connector/healthcheck"):
        answered = await pos.get(path)
        assert answered.headers["cache-control"] == "no-store", path
        assert answered.headers["x-content-type-options"] == "nosniff", path


async def test_the_documentation_page_runs_its_own_scripts_only(api: ApiAlone) -> None:
    """Its policy names the one inline script by its hash; nothing else of the page is inline."""
    page = await (await api.merchant()).get("/docs")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert policy.count("'sha256-") == page.text.count("<script>") == 1
    assert " onload=" not in page.text
    assert page.headers["x-content-type-options"] == "nosniff"
