"""Every form of a target inside our own network is refused, without a packet."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest
from wire.posting import LOOPBACK, client, names, post
from wire.receivers import receiver, status

from shared.network.dns import SystemResolver
from shared.network.hosts import Address
from shared.network.targets import AddressPolicy, TargetRefused

#: Everything is open but the addresses: what is refused here is refused for its address, not for `http`.
ADDRESSES_ONLY = AddressPolicy(allow_http=True)
#: An address that the settings open stands for a public one, so that no packet leaves this machine.
OPEN_TO_US = AddressPolicy((ip_network("127.0.0.2/32"),), allow_http=True)

SPELLINGS = {
    "ipv4": "127.0.0.1",
    "ipv4-other-loopback": "127.255.0.1",
    "decimal": "2130706433",
    "hex": "0x7f000001",
    "hex-upper-case": "0X7F000001",
    "hex-parts": "0x7f.0x0.0x0.0x1",
    "octal": "0177.0.0.1",
    "octal-whole": "017700000001",
    "short-two-parts": "127.1",
    "short-three-parts": "127.0.1",
    "mixed-bases": "0x7f.1",
    "unspecified": "0.0.0.0",
    "unspecified-short": "0",
    "trailing-dot": "127.0.0.1.",
    "unicode-digits": "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
    "idna-dots": "127\u30020\u30020\u30021",
    "ipv6-loopback": "[::1]",
    "ipv6-loopback-long": "[0:0:0:0:0:0:0:1]",
    "ipv6-unspecified": "[::]",
    "ipv6-mapped": "[::ffff:127.0.0.1]",
    "ipv6-mapped-hex": "[::ffff:7f00:1]",
    "ipv6-compatible": "[::127.0.0.1]",
    "nat64": "[64:ff9b::127.0.0.1]",
    "nat64-local": "[64:ff9b:1::7f00:1]",
    "6to4": "[2002:7f00:1::1]",
    "teredo": "[2001:0:7f00:1::1]",
    "metadata": "169.254.169.254",
    "metadata-decimal": "2852039166",
    "metadata-mapped": "[::ffff:169.254.169.254]",
    "metadata-ipv6": "[fd00:ec2::254]",
    "metadata-carrier-nat": "100.100.100.200",
    "link-local-ipv6": "[fe80::1]",
    "unique-local": "[fc00::1]",
    "private": "10.0.0.1",
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "localhost": "localhost",
    "localhost-trailing-dot": "localhost.",
    "localhost-upper-case": "LOCALHOST",
    "localhost-full-width": "\uff4cocalhost",
}

NAMES = {
    "private": ["10.0.0.1"],
    "loopback": ["127.0.0.1"],
    "loopback-ipv6": ["::1"],
    "metadata": ["169.254.169.254"],
    "carrier-nat": ["100.64.0.1"],
    "nat64-of-private": ["64:ff9b::a00:1"],
    "open-then-private": ["127.0.0.2", "127.0.0.1"],
    "private-then-open": ["127.0.0.1", "127.0.0.2"],
    "open-ipv4-and-link-local-ipv6": ["127.0.0.2", "fe80::1"],
}

URLS = {
    "scheme": ("gopher://{host}/_POST", "scheme"),
    "user-info-encoded": ("https://shop.example%2f@{host}/", "user_info"),
    "crlf": ("https://{host}/\r\nHost: shop.example", "characters"),
    "percent-encoded": ("https://%6c%6f%63%61%6c%68%6f%73%74/", "host"),
}


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail every connection to a real address that was not refused."""
    connect = socket.socket.connect

    def only_loopback(self: socket.socket, address: tuple[str, int]) -> None:
        if not ip_address(address[0]).is_loopback:
            raise OSError(f"a test tried to connect to {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)


@pytest.mark.parametrize("host", SPELLINGS.values(), ids=SPELLINGS.keys())
async def test_no_spelling_of_an_inner_address_is_connected_to(host: str) -> None:
    """The system's own resolver reads the spelling; a receiver on that port gets no connection."""
    lookup = SystemResolver(thread_count=1)

    async with receiver(status(200)) as inner, client(ADDRESSES_ONLY, lookup) as http:
        with pytest.raises(TargetRefused) as refused:
            await post(http, f"http://{host}:{inner.port}/")
    lookup.close()

    assert refused.value.reason == "address"
    assert inner.connections == 0


@pytest.mark.parametrize("addresses", NAMES.values(), ids=NAMES.keys())
async def test_no_name_of_an_inner_address_is_connected_to(addresses: list[str]) -> None:
    """One inner address among others is enough."""
    lookup = names(shop_example=addresses)

    async with receiver(status(200), host="127.0.0.1") as inner, client(OPEN_TO_US, lookup) as http:
        with pytest.raises(TargetRefused) as refused:
            await post(http, f"http://shop.example:{inner.port}/")

    assert refused.value.reason == "address"
    assert inner.connections == 0


async def test_an_allowed_origin_does_not_allow_its_neighbours() -> None:
    """The sandbox's own receiver is reached; another port of that machine is not, by any name."""
    lookup = names(sandbox=["127.0.0.1"], shop_example=["127.0.0.1"])
    async with receiver(status(200)) as sandbox, receiver(status(200)) as other:
        policy = AddressPolicy(allowed_origins=frozenset({("http", "sandbox", sandbox.port)}))
        async with client(policy, lookup) as http:
            assert (await post(http, f"http://sandbox:{sandbox.port}/")).status == 200
            for url in (f"http://sandbox:{other.port}/", f"https://shop.example:{sandbox.port}/"):
                with pytest.raises(TargetRefused):
                    await post(http, url)

    assert other.connections == 0


@pytest.mark.parametrize(("url", "reason"), URLS.values(), ids=URLS.keys())
async def test_no_trick_in_the_url_is_connected_to(url: str, reason: str) -> None:
    """Loopback is allowed here, so that only the URL's text can be refused."""
    policy = AddressPolicy(LOOPBACK.allowed_networks)

    async with receiver(status(200)) as inner, client(policy, names(shop_example=["127.0.0.1"])) as http:
        with pytest.raises(TargetRefused) as refused:
            await post(http, url.format(host=f"127.0.0.1:{inner.port}"))

    assert refused.value.reason == reason
    assert inner.connections == 0


@pytest.mark.parametrize("number", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(number: int) -> None:
    """Not even to an allowed target; its status is no success."""
    async with receiver(status(200)) as elsewhere:
        redirect = status(number, f"Location: http://127.0.0.1:{elsewhere.port}/latest/meta-data/")
        async with receiver(redirect) as first, client() as http:
            answer = await post(http, f"http://127.0.0.1:{first.port}/")

    assert answer.status == number
    assert answer.location == f"http://127.0.0.1:{elsewhere.port}/latest/meta-data/"
    assert len(first.requests) == 1
    assert elsewhere.connections == 0


@pytest.mark.parametrize("number", [200, 404])
async def test_only_a_redirect_has_a_location(number: int) -> None:
    """With other statuses the header has another meaning."""
    async with receiver(status(number, "Location: /made")) as hooks, client() as http:
        answer = await post(http, f"http://127.0.0.1:{hooks.port}/")

    assert (answer.status, answer.location) == (number, None)


async def test_a_name_that_changes_after_the_check_is_connected_to_as_it_was_checked() -> None:
    """The resolver would return an inner address the second time, but is asked once."""
    asked: list[str] = []

    async def rebinding(host: str) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("127.0.0.2" if len(asked) == 1 else "127.0.0.1")]

    async with receiver(status(200), host="127.0.0.2") as checked, client(OPEN_TO_US, rebinding) as http:
        answer = await post(http, f"http://shop.example:{checked.port}/")
        with pytest.raises(TargetRefused):  # the next connection asks again, and is judged again
            await post(http, f"http://shop.example:{checked.port}/")

    assert answer.status == 200
    assert asked == ["shop.example"] * 2
    assert checked.connections == 1


async def test_an_idle_connection_stays_with_the_address_that_was_checked() -> None:
    """Its name is not resolved again, whatever its new address."""
    asked: list[str] = []

    async def rebinding(host: str) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("127.0.0.2" if len(asked) == 1 else "10.0.0.1")]

    kept = receiver(status(200), host="127.0.0.2", keeps_connections=True)
    async with kept as checked, client(OPEN_TO_US, rebinding) as http:
        answers = [await post(http, f"http://shop.example:{checked.port}/") for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert asked == ["shop.example"]
    assert checked.connections == 1


async def test_a_refused_target_affects_no_other() -> None:
    """Posts to an allowed receiver go on beside refusals."""
    async with receiver(status(200), keeps_connections=True) as open_to_us, client() as http:
        url = f"http://127.0.0.1:{open_to_us.port}/"

        async def refused() -> None:
            with contextlib.suppress(TargetRefused):
                await post(http, "http://10.0.0.1/")

        answers, *_ = await asyncio.gather(post(http, url), refused(), refused())

    assert answers.status == 200
