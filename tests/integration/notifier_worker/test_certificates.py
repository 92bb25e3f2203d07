"""Certificates are verified against the URL's host, whatever its address."""

import asyncio
import datetime
from pathlib import Path

import pytest
from wire.certificates import Authority
from wire.posting import client, names, post
from wire.receivers import receiver, status

from notifier_worker.http.errors import CertificateInvalid, NoConnection

SHOP = names(shop_example=["127.0.0.1"])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_a_trusted_certificate_for_the_name_is_accepted(authority: Authority) -> None:
    """The server proves the URL's name; the address is only the route."""
    secure = receiver(status(200), tls=authority.server("shop.example"), keeps_connections=True)

    async with secure as shop, client(lookup=SHOP, ssl_context=authority.trust()) as http:
        answers = [await post(http, f"https://shop.example:{shop.port}/hook") for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert shop.server_names == ["shop.example"]
    assert f"Host: shop.example:{shop.port}".encode() in shop.requests[0][0]
    assert shop.connections == 1


async def test_a_certificate_for_an_address_is_accepted_for_that_address(authority: Authority) -> None:
    """A URL may have an address as its host; so must its certificate then."""
    secure = receiver(status(200), tls=authority.server("127.0.0.1"))

    async with secure as shop, client(ssl_context=authority.trust()) as http:
        assert (await post(http, f"https://127.0.0.1:{shop.port}/")).status == 200


async def test_a_name_with_a_dot_at_its_end_is_the_same_name(authority: Authority) -> None:
    """Certificates have no such dot."""
    secure = receiver(status(200), tls=authority.server("shop.example"))

    async with secure as shop, client(lookup=SHOP, ssl_context=authority.trust()) as http:
        assert (await post(http, f"https://shop.example.:{shop.port}/")).status == 200


@pytest.mark.parametrize(
    ("names_in_it", "ends_in_days", "self_signed", "reason"),
    [
        pytest.param(["other.example"], 1, False, "certificate_name", id="another-name"),
        pytest.param(["127.0.0.1"], 1, False, "certificate_name", id="address-only"),
        pytest.param(["*.shop.example"], 1, False, "certificate_name", id="names-below"),
        pytest.param(["shop.example"], -1, False, "certificate_expired", id="expired"),
        pytest.param(["shop.example"], 30, False, "certificate_not_yet_valid", id="not-yet-valid"),
        pytest.param(["shop.example"], 1, True, "certificate_untrusted", id="self-signed"),
    ],
)
async def test_any_other_certificate_is_refused_before_a_byte_is_sent(
    authority: Authority, names_in_it: list[str], ends_in_days: int, self_signed: bool, reason: str
) -> None:
    """The receiver gets no request."""
    ends_in = datetime.timedelta(days=ends_in_days)
    wrong = authority.server(*names_in_it, ends_in=ends_in, self_signed=self_signed)

    async with (
        receiver(status(200), tls=wrong) as shop,
        client(lookup=SHOP, ssl_context=authority.trust()) as http,
    ):
        with pytest.raises(CertificateInvalid) as refused:
            await post(http, f"https://shop.example:{shop.port}/")

    assert refused.value.reason == reason
    assert shop.requests == []


async def test_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    """Valid, for the right name, by an authority that this client does not trust."""
    stranger = Authority(tmp_path)

    async with (
        receiver(status(200), tls=stranger.server("shop.example")) as shop,
        client(lookup=SHOP, ssl_context=authority.trust()) as http,
    ):
        with pytest.raises(CertificateInvalid) as refused:
            await post(http, f"https://shop.example:{shop.port}/")

    assert refused.value.reason == "certificate_untrusted"


async def test_a_client_of_its_own_trusts_no_authority_of_a_test(authority: Authority) -> None:
    """Without a context it is the system's trust, and it verifies."""
    async with (
        receiver(status(200), tls=authority.server("shop.example")) as shop,
        client(lookup=SHOP) as http,
    ):
        with pytest.raises(CertificateInvalid):
            await post(http, f"https://shop.example:{shop.port}/")


async def test_a_receiver_that_speaks_no_tls_is_no_connection() -> None:
    """A plain server answers the TLS handshake with a bad request, or closes."""

    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):

        def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes = answer) -> None:
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        async with server, client() as http:
            with pytest.raises(NoConnection) as failed:
                await post(http, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

        assert failed.value.reason == "tls_failed"
