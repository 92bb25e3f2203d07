"""Posts to receivers that answer correctly, wrongly, slowly, too much or not at all."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from eventually import eventually
from wire.posting import client, names, post
from wire.receivers import Behaviour, receiver, says, silence, status

from notifier_worker.http.errors import BadAnswer, NoConnection, TimedOut
from shared.network.hosts import Address
from shared.network.targets import AddressPolicy


def _for_ever(begin: bytes, repeated: bytes, pause_seconds: float = 0) -> Behaviour:
    async def never_ends(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(repeated)
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    return never_ends


async def test_a_post_carries_its_headers_and_body() -> None:
    """Host and Content-Length are the client's, the others the caller's; the body is unchanged."""
    async with receiver(status(201, body=b"thanks")) as shop, client() as http:
        url = f"http://127.0.0.1:{shop.port}/hook?shop=1"
        answer = await http.post(url, {"webhook-id": "evt_1"}, b'{"caf\xc3\xa9":1}', 30)

    head, body = shop.requests[0]
    assert head.decode().split("\r\n") == [
        "POST /hook?shop=1 HTTP/1.1",
        f"Host: 127.0.0.1:{shop.port}",
        "Content-Length: 11",
        "webhook-id: evt_1",
        "",
        "",
    ]
    assert body == b'{"caf\xc3\xa9":1}'
    assert (answer.status, answer.body, answer.retry_after) == (201, b"thanks", None)


async def test_retry_after_is_returned_as_it_was_received() -> None:
    """The case of the header's name does not matter."""
    async with receiver(status(503, "RETRY-AFTER: 120")) as shop, client() as http:
        answer = await post(http, f"http://127.0.0.1:{shop.port}/")

    assert (answer.status, answer.retry_after) == (503, "120")


async def test_interim_answers_are_ignored() -> None:
    """100 and 103 are not the answer to the post."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
    async with (
        receiver(says(interim + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as shop,
        client() as http,
    ):
        assert (await post(http, f"http://127.0.0.1:{shop.port}/")).status == 200


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3000, b"x" * 2048, id="until-close"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nold", b"old", id="http-1.0"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"abc",
            id="chunked",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"half", id="cut-off"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz", b"abc", id="bad-chunk"
        ),
        pytest.param(b"HTTP/1.1 204 None\r\n\r\n", b"", id="no-content"),
    ],
)
async def test_the_status_is_the_result_whatever_the_body(answer: bytes, body: bytes) -> None:
    """At most 2 KiB of it are kept."""
    async with receiver(says(answer)) as shop, client() as http:
        found = await post(http, f"http://127.0.0.1:{shop.port}/")

    assert found.status in {200, 204}
    assert found.body == body


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(_for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 8192), id="flood"),
        pytest.param(_for_ever(b"HTTP/1.1 200 OK\r\n\r\nx", b"x", 0.05), id="drip"),
        pytest.param(
            _for_ever(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nx", b"x" * 8192), id="huge-length"
        ),
        pytest.param(
            _for_ever(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", b"1;" + b"e" * 8192
            ),
            id="chunk-extensions",
        ),
    ],
)
async def test_an_endless_body_ends_with_its_status_and_the_connection(behaviour: Behaviour) -> None:
    """The answer is returned long before the time-out, and the connection is closed."""
    async with receiver(behaviour) as shop, client() as http:
        async with asyncio.timeout(60):
            answer = await post(http, f"http://127.0.0.1:{shop.port}/", 120)
        await eventually(lambda: shop.closed_connections == 1, within_seconds=60)

    assert answer.status == 200
    assert 1 <= len(answer.body) <= 2048


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(says(b""), "no_answer", id="closed"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-"), "no_answer", id="closed-in-headers"),
        pytest.param(says(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "not_http", id="another-protocol"),
        pytest.param(says(b"HTTP/1.1 abc OK\r\n\r\n"), "not_http", id="no-status"),
        pytest.param(says(b"HTTP/1.1 000 OK\r\n\r\n"), "not_http", id="status-0"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "not_http", id="bad-length"),
        pytest.param(says(b"HTTP/1.1 101 Now\r\nUpgrade: websocket\r\n\r\n"), "not_http", id="upgrade"),
        pytest.param(
            _for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 990 + b"\r\n"),
            "answer_too_large",
            id="endless-headers",
        ),
        pytest.param(
            _for_ever(b"HTTP/1.1 200 OK\r\nX-Filler: ", b"x" * 8192), "answer_too_large", id="one-header"
        ),
        pytest.param(
            _for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 9), "answer_too_large", id="interim-flood"
        ),
    ],
)
async def test_a_malformed_answer_is_a_bad_answer(behaviour: Behaviour, reason: str) -> None:
    """With a code for the error; the connection is closed."""
    async with receiver(behaviour) as shop, client() as http:
        with pytest.raises(BadAnswer) as bad:
            await post(http, f"http://127.0.0.1:{shop.port}/", 120)
        await eventually(lambda: shop.closed_connections == shop.connections, within_seconds=60)

    assert bad.value.reason == reason
    assert shop.connections == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(silence, id="silence"),
        pytest.param(_for_ever(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 0.02), id="headers-drip"),
        pytest.param(_for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02), id="interim-drip"),
    ],
)
async def test_a_receiver_without_a_status_in_time_times_out(behaviour: Behaviour) -> None:
    """The time-out covers everything: an answer in small pieces does not extend it."""
    async with receiver(behaviour) as shop, client() as http:
        with pytest.raises(TimedOut) as late:
            await post(http, f"http://127.0.0.1:{shop.port}/", 0.5)
        await eventually(lambda: shop.closed_connections == shop.connections, within_seconds=60)

    assert late.value.reason == "answer_timeout"


async def test_a_tls_handshake_that_never_ends_times_out() -> None:
    """After the connect time-out, or the post's time-out where that is shorter."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        for connect_seconds, post_seconds, reason in (
            (0.2, 60, "connect_timeout"),
            (60, 0.2, "answer_timeout"),
        ):
            async with client(connect_timeout_seconds=connect_seconds) as http:
                with pytest.raises(TimedOut) as late:
                    await post(http, url, post_seconds)
            assert late.value.reason == reason
            accepted, _ = silent.accept()
            with accepted:
                accepted.settimeout(30)
                while accepted.recv(65536):
                    continue  # our greeting; then the end, because the socket was closed


async def test_a_name_look_up_counts_against_the_time_out() -> None:
    """The post's time-out begins before the DNS look-up."""

    async def never(host: str) -> Sequence[Address]:
        await asyncio.Event().wait()
        raise AssertionError

    async with client(lookup=never) as http:
        with pytest.raises(TimedOut) as late:
            await post(http, "http://shop.example/", 0.2)

    assert late.value.reason == "answer_timeout"


async def test_a_refused_connection_and_an_unknown_name_are_no_connection() -> None:
    """Each has its own code."""
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]

    async with client() as http:
        with pytest.raises(NoConnection) as refused:
            await post(http, f"http://127.0.0.1:{port}/")
        with pytest.raises(NoConnection) as unknown:
            await post(http, "http://nowhere.example/")

    assert refused.value.reason == "connection_failed"
    assert unknown.value.reason == "name_unresolved"


async def test_the_next_address_is_tried_after_a_refused_connection() -> None:
    """In the resolver's order, four of them at most."""
    async with receiver(status(200), host="127.0.0.4") as shop:
        reachable = names(shop_example=["127.0.0.2", "127.0.0.3", "127.0.0.4"])
        too_far = names(shop_example=[f"127.0.0.{number}" for number in (5, 6, 7, 8, 4)])
        url = f"http://shop.example:{shop.port}/"

        async with client(lookup=reachable) as http:
            assert (await post(http, url)).status == 200
        async with client(lookup=too_far) as http:
            with pytest.raises(NoConnection):
                await post(http, url)


async def test_an_address_that_swallows_packets_leaves_time_for_the_next() -> None:
    """Each address gets its part of the connect time-out."""
    with socket.socket() as full:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for filler in waiting:  # once the queue is full the kernel drops what else comes
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.2", port))
            async with client(
                lookup=names(shop_example=["127.0.0.2", "127.0.0.3"]), connect_timeout_seconds=2
            ) as http:
                with pytest.raises(NoConnection):  # the second was tried: nobody listens there
                    await post(http, f"http://shop.example:{port}/", 60)
            async with client(lookup=names(shop_example=["127.0.0.2"]), connect_timeout_seconds=0.3) as http:
                with pytest.raises(TimedOut) as late:
                    await post(http, f"http://shop.example:{port}/", 60)
        finally:
            for filler in waiting:
                filler.close()

    assert late.value.reason == "connect_timeout"


async def test_connections_are_kept_and_used_again() -> None:
    """Consecutive posts share one, concurrent posts have one each."""
    async with receiver(status(200, body=b"ok"), keeps_connections=True) as shop, client() as http:
        url = f"http://127.0.0.1:{shop.port}/"

        for _ in range(5):
            await post(http, url)
        one_after_the_other = shop.connections
        await asyncio.gather(*(post(http, url) for _ in range(3)))

    assert one_after_the_other == 1
    assert 2 <= shop.connections <= 3
    assert len(shop.requests) == 8


async def test_a_connection_that_the_receiver_closed_is_replaced() -> None:
    """Receivers close idle connections at any time; the post does not fail."""
    async with receiver(status(200)) as shop, client() as http:
        url = f"http://127.0.0.1:{shop.port}/"

        for _ in range(5):
            assert (await post(http, url)).status == 200

    assert shop.connections == 5


async def test_a_post_on_a_connection_that_closes_at_that_moment_is_sent_on_a_new_one() -> None:
    """The receiver reads the second request of a connection and closes without an answer."""
    served: set[int] = set()

    async def once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if id(writer) in served:
            writer.transport.abort()
            return
        served.add(id(writer))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with receiver(once, keeps_connections=True) as shop, client() as http:
        url = f"http://127.0.0.1:{shop.port}/"
        await post(http, url)
        answer = await post(http, url)

    assert answer.status == 200
    assert (shop.connections, len(shop.requests)) == (2, 3)


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    """Also without a further post."""
    async with (
        receiver(status(200), keeps_connections=True) as shop,
        client(idle_seconds=0.1) as http,
    ):
        await post(http, f"http://127.0.0.1:{shop.port}/")

        await eventually(lambda: shop.closed_connections == 1)


async def test_idle_connections_are_bounded_over_all_receivers() -> None:
    """The connection that has been idle for longest is closed."""
    async with (
        receiver(status(200), keeps_connections=True) as first,
        receiver(status(200), keeps_connections=True) as second,
        client(max_connections=1) as http,
    ):
        await post(http, f"http://127.0.0.1:{first.port}/")
        await post(http, f"http://127.0.0.1:{second.port}/")
        await eventually(lambda: first.closed_connections == 1)
        await post(http, f"http://127.0.0.1:{second.port}/")

    assert (first.connections, second.connections) == (1, 1)


async def test_a_client_that_is_closed_closes_its_connections() -> None:
    """A stopped worker leaves no connection open."""
    async with receiver(status(200), keeps_connections=True) as shop:
        async with client() as http:
            await post(http, f"http://127.0.0.1:{shop.port}/")

        await eventually(lambda: shop.closed_connections == 1)


async def test_a_cancelled_post_closes_its_connection() -> None:
    """A worker that stops leaves no request open."""
    async with receiver(silence) as shop, client() as http:
        posting = asyncio.create_task(post(http, f"http://127.0.0.1:{shop.port}/"))
        await eventually(lambda: shop.requests)

        posting.cancel()

        with pytest.raises(asyncio.CancelledError):
            await posting
        await eventually(lambda: shop.closed_connections == 1)


async def test_ipv6_is_used_where_the_settings_allow_it() -> None:
    """The Host header has brackets, the address has not."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    policy = AddressPolicy((ip_network("::1/128"),), allow_http=True)

    async with receiver(status(200), host="::1") as shop, client(policy) as http:
        answer = await post(http, f"http://[::1]:{shop.port}/")

    assert answer.status == 200
    assert f"Host: [::1]:{shop.port}".encode() in shop.requests[0][0]
