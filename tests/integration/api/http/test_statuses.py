"""Every refusal over HTTP: status, code and wording of the contract, before anything is stored or sent."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from eventually import eventually
from loopback import terminal_host
from orders import order_for
from system import ORDER_PATH, Pos, System
from wire.scripted_terminal import ScriptedTerminal, says_nothing

JSON = {"Content-Type": "application/json"}


def check(answered: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check the envelope; return the error."""
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["x-request-id"]
    body = answered.json()
    error: dict[str, Any] = body["error"]
    assert (error["status"], error["code"]) == (status, code)
    assert {"message", "description", "details"} <= error.keys()
    return error


async def test_a_log_in_is_checked_before_the_body(system: System) -> None:
    """An empty, wrong or huge one changes nothing of the 401, nor does its media type."""
    api = await system.api()
    headers = {"Authorization": "Basic bm9ib2R5OnNlY3JldA==", "Content-Type": "a/b"}

    for body in (b"", b"{", b"x" * 300_000):
        answered = await api.client.post(ORDER_PATH, content=body, headers=headers)

        error = check(answered, 401, "connector.api.login.unauthorized")
        assert error["message"] == "Unauthorized"
        assert error["description"] == "The login has been rejected."
        assert error["details"] == "Incorrect credentials"
        assert answered.headers["www-authenticate"] == "Basic"


async def test_a_wrong_secret_is_refused_while_the_right_one_is_cached(system: System) -> None:
    """A cached credential is valid for its own secret only."""
    pos = await system.pos()
    await pos.send({})
    answered = await pos.client.post(ORDER_PATH, auth=(pos.login.username, "wrong"), json={})

    assert check(answered, 401, "connector.api.login.unauthorized")["details"] == "Incorrect credentials"


@pytest.mark.parametrize("networks", [(), ("10.0.0.0/8",)])
async def test_a_terminal_outside_the_merchants_networks_hears_nothing(
    system: System, networks: tuple[str, ...]
) -> None:
    """By default loopback is refused, and with networks all others: no packet, no row."""
    api = await system.api()
    pos = Pos(api.client, await system.login(*networks))
    await system.worker()

    async with ScriptedTerminal(says_nothing) as shop:
        check(await pos.pay(shop.host), 403, "network.forbidden")
        check(await pos.pay("localhost"), 403, "network.forbidden")

        assert shop.talks == []
    assert await system.payments() == []


async def test_a_name_with_one_address_outside_is_refused(system: System) -> None:
    """Every address of the name is checked, not only the one that would be connected to."""
    from ipaddress import ip_address

    async def two(_host: str) -> list[Any]:
        return [ip_address("127.0.0.1"), ip_address("169.254.169.254")]

    pos = await system.pos(await system.api(lookup=two))

    check(await pos.pay("terminal.example"), 403, "network.forbidden")


async def test_a_name_without_an_address_is_unreachable_and_stored(system: System) -> None:
    """502, safe to retry; the order's next attempt is a new one."""

    async def none(_host: str) -> list[Any]:
        raise OSError("no such name")

    pos = await system.pos(await system.api(lookup=none))
    answered = await pos.pay("terminal.example")

    check(answered, 502, "unavailable.terminal.bad.gateway")
    (row,) = await system.payments()
    assert (row.state, row.reason, row.terminal_address) == ("unreachable", "no_address", None)
    assert answered.json()["payment"]["safe_to_retry"] is True


async def test_bodies_are_checked_in_the_contracts_order(system: System) -> None:
    """Size, then media type, then JSON, then nesting, then the schema."""
    pos = await system.pos()
    auth = pos.login.headers

    async def post(content: Any, headers: dict[str, str]) -> httpx.Response:
        return await pos.client.post(ORDER_PATH, content=content, headers={**auth, **headers})

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 10_000

    large = b" " * 262_145
    check(await post(large, {"Content-Type": "text/plain"}), 413, "large.body.payload.too.large")
    check(await post(chunks(), JSON), 413, "large.body.payload.too.large")
    check(await post(b"x", {"Content-Type": "text/plain"}), 415, "unsupported.body.unsupported.media.type")
    check(await post(b"{}", {}), 400, "missing.media_type.bad.request")
    check(await post(b"", JSON), 400, "unreadable.body.bad.request")
    check(await post(b"{", JSON), 400, "unreadable.body.bad.request")
    check(await post(b"\xff", JSON), 400, "unreadable.body.bad.request")
    check(await post(b"[" * 1000 + b"]" * 1000, JSON), 400, "unreadable.body.bad.request")
    deepest = system.settings.body_nesting_limit + 1
    check(await post(b"[" * deepest + b"]" * deepest, JSON), 400, "unreadable.body.bad.request")
    check(await post(b"[]", JSON), 400, "type.openapi.requestValidation")
    error = check(await post(b"{}", JSON), 400, "required.openapi.requestValidation")
    assert error["message"] == "should have required property 'order'"
    assert await system.payments() == []


@pytest.mark.parametrize("edit", [{"initialize_payment_terminal": False}, {"price": {"amount": 0}}])
async def test_what_must_not_wake_a_terminal_does_not(system: System, edit: dict[str, Any]) -> None:
    """Refused with a 400 and never charged."""
    pos = await system.pos()
    answered = await pos.send(order_for(terminal_host(), **edit))

    assert answered.status_code == 400
    assert answered.json()["error"]["code"].endswith(".openapi.requestValidation")
    assert await system.payments() == []


async def test_texts_that_databases_refuse_are_a_400_and_never_a_500(system: System) -> None:
    """In every place that becomes a column or a key."""
    pos = await system.pos()
    for edit in ({"order_id": "a\0b"}, {"order_id": "\ud800"}):
        order = order_for(terminal_host())
        order["order"] |= edit
        body = json.dumps(order).encode()
        answered = await pos.client.post(ORDER_PATH, content=body, headers={**pos.login.headers, **JSON})
        assert answered.status_code == 400, answered.text
    answered = await pos.pay("a\0b")
    assert answered.status_code == 400
    answered = await pos.pay(terminal_host(), headers={"Idempotency-Key": "two words"})
    check(answered, 400, "invalid.header.bad.request")


async def test_free_texts_may_hold_anything_and_come_back_as_they_were(system_on_both: System) -> None:
    """Emoji, U+0000 and a lone surrogate in custom data are stored and echoed."""
    system = system_on_both
    pos = await system.pos()
    await system.worker()
    custom = {"note": "caf\u00e9 \U0001f950", "odd": "\0\ud800", "deep": [[[1.5, None, True]]]}
    body = json.dumps(order_for(terminal_host(), custom_data=custom)).encode()
    answered = await pos.client.post(ORDER_PATH, content=body, headers={**pos.login.headers, **JSON})

    assert answered.status_code == 502  # nobody listens there, and the echo is stored
    (row,) = await system.payments()
    assert json.loads(row.request)["order"]["custom_data"] == custom


async def test_request_ids_go_in_and_out(system: System) -> None:
    """A sane one is the client's, any other is made."""
    api = await system.api()

    async def sent_back(request_id: str | None) -> str:
        headers = {} if request_id is None else {"X-Request-Id": request_id}
        return str((await api.client.get("/v1/nothing", headers=headers)).headers["x-request-id"])

    assert await sent_back("till-7.42") == "till-7.42"
    for insane in (None, "", "two words", "x" * 129):
        made = await sent_back(insane)
        assert made
        assert made != insane
        assert await sent_back(insane) != made


async def test_the_healthcheck_is_up_only_when_payments_can_be_taken(system: System) -> None:
    """The text `up`, or 503 with what is missing."""
    api = await system.api()
    answered = await api.client.get("/v1/connector/healthcheck")
    assert (answered.status_code, answered.text) == (200, "up")

    api.database.is_unavailable = True

    async def is_red() -> bool:
        answered = await api.client.get("/v1/connector/healthcheck")
        return answered.status_code == 503 and "database" in answered.text

    await eventually(is_red)


async def test_an_unexpected_error_is_a_500_that_can_be_found_in_the_logs(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The envelope, the request's id, and nothing of the error's own text."""
    api = await system.api()
    pos = await system.pos(api)

    async def breaks(*_: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(api.database, "read", breaks)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as log:
        answered = await pos.pay(terminal_host(), headers={"X-Request-Id": "till-7"})

    check(answered, 500, "undefined.internal.server.error")
    assert answered.headers["x-request-id"] == "till-7"
    assert "secret" not in answered.text
    assert [line["request_id"] for line in log if line["log_level"] == "error"] == ["till-7"]


async def test_a_database_that_is_away_is_a_500_that_says_so(system: System) -> None:
    """Before the log-in is checked, and after it."""
    api = await system.api()
    pos = await system.pos(api)
    api.database.is_unavailable = True
    check(await pos.pay(terminal_host()), 500, "unavailable.database.internal.server.error")

    api.database.is_unavailable = False
    await pos.send({})
    api.database.is_unavailable = True
    error = check(await pos.pay(terminal_host()), 500, "unavailable.database.internal.server.error")
    assert error["details"] == {"safe_to_retry": False}


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/docs/errors", "/openapi.json"])
async def test_the_documentation_loads_nothing_from_outside(system: System, path: str) -> None:
    """No reference to another host in the page, and every file that it loads is served here."""
    import re

    api = await system.api()
    page = await api.client.get(path, headers={"Accept": "text/html"} if path == "/" else {})

    assert page.status_code == 200
    loaded = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert not [link for link in loaded if "//" in link], loaded
    assert "cdn" not in page.text
    for link in loaded:
        assert (await api.client.get(link)).status_code == 200, link
    assert path != "/docs" or len(loaded) >= 3
    if path == "/openapi.json":
        assert {"/v1/connector/order", "/v1/connector/healthcheck"} <= page.json()["paths"].keys()
        assert page.json()["openapi"].startswith("3.")


async def test_one_merchant_never_sees_anothers_order(system: System) -> None:
    """Two merchants use the same order number: two payments, two answers."""
    api = await system.api()
    await system.worker()
    host = terminal_host()
    registers = [await system.pos(api) for _ in range(2)]
    answers = [await pos.pay(host, order_id="order-1") for pos in registers]

    assert len({answer.json()["payment"]["id"] for answer in answers}) == 2
