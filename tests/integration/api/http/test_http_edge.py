"""Unusual requests at the API's socket: bounded, and answered in the contract's form."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
import structlog
from databases import Store
from eventually import eventually
from orders import order_for
from running.api_alone import ApiAlone, Caller, api_alone
from wire.raw_http import HEALTH, RawConnection, raw_connection, request

from api.http.server.connections import http_options
from shared.metrics.metrics import Metrics
from shared.network.http_bounds import HEAD_BYTES, REST_BYTES
from shared.payment.states import Event
from shared.runtime.serving import listen, port_of, serving


@dataclass
class Served:
    """An API on a real socket."""

    api: ApiAlone
    port: int

    def connection(self) -> contextlib.AbstractAsyncContextManager[RawConnection]:
        return raw_connection(self.port)


@pytest.fixture
def settings() -> dict[str, Any]:
    """Of the API; a test may have its own."""
    return {}


@pytest.fixture
async def served(sqlite_store: Store, settings: dict[str, Any]) -> AsyncIterator[Served]:
    async with api_alone(sqlite_store, **settings) as api:
        listening = listen("127.0.0.1", 0, setting="PORT")
        port = port_of(listening)
        async with serving(api.app, listening, drain_seconds=1, **http_options(api.settings, Metrics("api"))):
            yield Served(api, port)


def post(body: bytes, caller: Caller | None = None, **more: str) -> bytes:
    """Return an order's request; `more` are headers, with underscores."""
    login = {} if caller is None else {"Authorization": caller.client.headers["authorization"]}
    named = {name.replace("_", "-"): text for name, text in more.items()}
    return request("POST", "/v1/connector/order", body, {**login, **named})


@pytest.mark.parametrize(
    "garbage",
    [
        b"}",
        b"\x00",
        b"!! no HTTP\r\n\r\n",
        b"CONNECT api:22 HTTP/1.1\r\n\r\n",
    ],
    ids=["a brace", "a zero byte", "no HTTP", "a head without a path"],
)
async def test_an_accepted_order_has_its_own_answer_whatever_follows_it(
    served: Served, garbage: bytes
) -> None:
    """One byte more than Content-Length: the payment's result first, then the 400, then the end."""
    pos = await served.api.merchant()
    body = json.dumps(order_for("127.0.0.9", 250)).encode()

    async with served.connection() as connection:
        await connection.send(post(body, pos) + garbage)
        await eventually(lambda: served.api.postbox.published)
        (payment_id,) = served.api.postbox.published
        await served.api.settle(await served.api.claim(payment_id), Event.ANSWERED_REFUSED)
        status, headers, answered = await connection.answer()

        assert (status, json.loads(answered)["payment"]["id"]) == (200, payment_id)
        assert "connection" not in headers
        await connection.refusal(400, "malformed.request.bad.request")


async def test_requests_sent_at_once_are_answered_one_after_the_other(served: Served) -> None:
    """Thousands in a few packets are held, not read all at once, and none is lost."""
    number = 2000
    async with served.connection() as connection:
        sending = asyncio.create_task(connection.send(HEALTH * number))
        for _ in range(number):
            assert (await connection.answer())[0] == 200
        await sending


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/events HTTP/1.1\r\nX: " + b"a" * 2 * HEAD_BYTES,
        b"GET /v1/events HTTP/1.1\r\nX:" + b" " * 2 * HEAD_BYTES,
        b"GET /" + b"a" * 2 * HEAD_BYTES,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
    ],
    ids=["endless header", "endless blanks", "endless path", "many headers", "whole and too large"],
)
async def test_a_head_is_bounded(served: Served, head: bytes) -> None:
    """431 in the contract's form; nothing of it is kept."""
    async with served.connection() as connection:
        await connection.send(head)
        await connection.refusal(431, "large.head.request.header.fields.too.large")


async def test_a_head_of_just_the_limit_is_read(served: Served) -> None:
    """Long credentials or traces of proxies are no attack."""
    async with served.connection() as connection:
        await connection.send(HEALTH[:-2] + b"X: " + b"a" * (HEAD_BYTES - 200) + b"\r\n\r\n")
        assert (await connection.answer())[0] == 200


@pytest.mark.parametrize("settings", [{"head_timeout_seconds": 0.2}])
async def test_a_head_that_does_not_come_is_a_408(served: Served) -> None:
    """Counted from its first byte, after earlier requests too; a connection without any is closed quietly."""
    async with served.connection() as connection:
        await connection.send(HEALTH + b"GET / HT")
        assert (await connection.answer())[0] == 200
        await connection.refusal(408, "timeout.request.request.timeout")
    async with served.connection() as connection:
        await connection.send(b"\r\n")
        assert await connection.is_closed()
    async with served.connection() as connection:
        assert await connection.is_closed()


@pytest.mark.parametrize("settings", [{"body_timeout_seconds": 0.2}])
async def test_a_body_that_does_not_come_is_a_408(served: Served) -> None:
    """Nothing was done."""
    pos = await served.api.merchant()
    async with served.connection() as connection:
        await connection.send(post(b"{}", pos)[:-1])
        await connection.refusal(408, "timeout.request.request.timeout")


@pytest.mark.parametrize(
    "rest",
    [
        b"5\r\nhello\r\nzz\r\n",
        b"5;" + b"x" * 2**20,
        b"0\r\nX: " + b"a" * 2**20,
        b"1\r\nxx",
        b"1\r\n \r\n" * 20_000,
    ],
    ids=["no size", "endless extension", "endless trailer", "wrong size", "one byte each"],
)
async def test_broken_chunks_are_a_400(served: Served, rest: bytes) -> None:
    """And what they cost beside their content is bounded."""
    pos = await served.api.merchant()
    head = post(b"", pos, Transfer_Encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
    async with served.connection() as connection:
        await connection.send(head + rest)
        await connection.refusal(400, "malformed.request.bad.request")
    assert served.api.postbox.published == []


@pytest.mark.parametrize(
    "request_line",
    [
        b"nonsense\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01",
        b"CONNECT api:22 HTTP/1.1\r\nHost: api\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: api\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_in_the_contracts_form(served: Served, request_line: bytes) -> None:
    """JSON with a stable code, and no error of ours in the log."""
    with structlog.testing.capture_logs() as log:
        async with served.connection() as connection:
            await connection.send(request_line)
            await connection.refusal(400, "malformed.request.bad.request")
    assert not [line for line in log if line["log_level"] == "error"]


async def test_the_rest_of_a_refused_body_is_read_away(served: Served) -> None:
    """The client sees its 413 or 401, and goes on with the same connection."""
    pos = await served.api.merchant()
    async with served.connection() as connection:
        await connection.send(post(b"x" * 300_000, pos))
        assert (await connection.answer())[0] == 413
        await connection.send(post(b"x" * 300_000))
        assert (await connection.answer())[0] == 401
        await connection.send(HEALTH)
        assert (await connection.answer())[0] == 200
        await connection.send(post(b"x" * 300_000, pos, Connection="close"))
        status, headers, _ = await connection.answer()
        assert (status, headers["connection"]) == (413, "close")
        assert await connection.is_closed()


async def test_a_refused_body_without_an_end_is_not_read_for_ever(served: Served) -> None:
    """The answer comes, and after a bounded rest the end."""
    async with served.connection() as connection:
        await connection.send(post(b"").replace(b"Content-Length: 0", b"Content-Length: 9999999999"))
        assert (await connection.answer())[0] == 401
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 64 * REST_BYTES:
                connection.writer.write(b"x" * 65_536)
                await connection.writer.drain()
                sent += 65_536
        assert sent < 64 * REST_BYTES


@pytest.mark.parametrize("settings", [{"connections_before_login_limit": 3, "trusted_proxies": ()}])
async def test_connections_without_a_login_are_bounded_for_an_address(served: Served) -> None:
    """A log-in takes a connection out of the count, as its end does; a wrong one does not."""
    pos = await served.api.merchant()
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(served.connection()) for _ in range(3)]
        for connection in opened:
            await connection.send(post(b"{}"))
            assert (await connection.answer())[0] == 401
        async with served.connection() as one_more:
            await one_more.refusal(429, "connections.client.too.many.requests")

        await opened[0].send(post(b"{}", pos))
        assert (await opened[0].answer())[0] == 400
        async with served.connection() as another:
            await another.send(HEALTH)
            assert (await another.answer())[0] == 200


@pytest.mark.parametrize(
    "settings", [{"connections_before_login_limit": 1, "trusted_proxies": (ip_network("127.0.0.0/8"),)}]
)
async def test_a_trusted_proxy_may_open_as_many_connections_as_it_likes(served: Served) -> None:
    """It stands for many clients, and bounds them itself."""
    async with contextlib.AsyncExitStack() as stack:
        for connection in [await stack.enter_async_context(served.connection()) for _ in range(5)]:
            await connection.send(HEALTH)
            assert (await connection.answer())[0] == 200


async def test_a_client_that_leaves_is_no_error_in_the_log(served: Served) -> None:
    """Before its body has come, while its payment runs, and while its answer is written."""
    pos = await served.api.merchant()
    body = json.dumps(order_for("127.0.0.9", 250)).encode()
    with structlog.testing.capture_logs() as log:
        for sent in (post(body, pos)[:-1], post(body, pos)):
            async with served.connection() as connection:
                connection.writer.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
                )
                await connection.send(sent)
                if sent.endswith(body):
                    await eventually(lambda: served.api.postbox.published)
        (payment_id,) = served.api.postbox.published
        await served.api.settle(await served.api.claim(payment_id), Event.ANSWERED_REFUSED)
        async with served.connection() as connection:
            await connection.send(HEALTH)
            assert (await connection.answer())[0] == 200
    assert [line for line in log if line["log_level"] in ("error", "warning", "critical")] == []


async def test_head_is_answered_where_get_is_without_a_body(served: Served) -> None:
    """The same status and headers."""
    async with served.connection() as connection:
        await connection.send(HEALTH.replace(b"GET", b"HEAD") + HEALTH)
        head = (await connection.reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200")
        assert "content-length: 2\r\n" in head
        assert (await connection.answer())[2] == b"up"
