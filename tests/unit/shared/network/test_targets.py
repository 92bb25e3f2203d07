"""URLs that we may post to, by their text alone."""

from ipaddress import ip_address, ip_network

import pytest

from shared.network.targets import AddressPolicy, Target, TargetRefused

ACCEPTED = {
    "plain": ("https://shop.example/hook", Target("https", "shop.example", 443, "/hook")),
    "no-path": ("https://shop.example", Target("https", "shop.example", 443, "/")),
    "query": ("https://shop.example?a=1&b=%20", Target("https", "shop.example", 443, "/?a=1&b=%20")),
    "port": ("https://shop.example:8443/", Target("https", "shop.example", 8443, "/")),
    "empty-port": ("https://shop.example:/", Target("https", "shop.example", 443, "/")),
    "upper-case": ("HTTPS://SHOP.Example/Hook", Target("https", "shop.example", 443, "/Hook")),
    "trailing-dot": ("https://shop.example./", Target("https", "shop.example", 443, "/")),
    "underscore": ("https://my_shop.example/", Target("https", "my_shop.example", 443, "/")),
    "idna": ("https://bücher.example/", Target("https", "xn--bcher-kva.example", 443, "/")),
    "idna-dots": ("https://b\u00fccher\u3002example/", Target("https", "xn--bcher-kva.example", 443, "/")),
    "ipv4": ("https://20.30.40.50/", Target("https", "20.30.40.50", 443, "/")),
    "ipv6": ("https://[2400::1]:8443/", Target("https", "2400::1", 8443, "/")),
    "double-slash-path": (
        "https://shop.example//127.0.0.1/",
        Target("https", "shop.example", 443, "//127.0.0.1/"),
    ),
}

REFUSED = {
    "http": ("http://shop.example/", "scheme"),
    "file": ("file:///etc/passwd", "scheme"),
    "gopher": ("gopher://shop.example/", "scheme"),
    "ftp": ("ftp://shop.example/", "scheme"),
    "no-scheme": ("//shop.example/", "scheme"),
    "empty": ("", "scheme"),
    "no-host": ("https:///hook", "host"),
    "no-host-but-port": ("https://:443/hook", "host"),
    "user": ("https://shop.example@127.0.0.1/", "user_info"),
    "user-and-password": ("https://a:b@shop.example/", "user_info"),
    "empty-user": ("https://@shop.example/", "user_info"),
    "crlf": ("https://shop.example/\r\nX-Evil: 1", "characters"),
    "crlf-in-host": ("https://shop.example\r\n/", "characters"),
    "tab": ("https://shop\t.example/", "characters"),
    "nul": ("https://shop.example/\x00", "characters"),
    "leading-blank": (" https://shop.example/", "characters"),
    "next-line": ("https://shop.example/\x85", "characters"),
    "backslash": ("https://shop.example\\@127.0.0.1/", "characters"),
    "path-not-encoded": ("https://shop.example/bücher", "characters"),
    "port-0": ("https://shop.example:0/", "port"),
    "port-65536": ("https://shop.example:65536/", "port"),
    "port-huge": ("https://shop.example:99999999999999999999/", "port"),
    "port-no-number": ("https://shop.example:https/", "host"),
    "port-unicode-digits": ("https://shop.example:\uff14\uff14\uff13/", "host"),
    "fragment": ("https://shop.example/#/hook", "fragment"),
    "too-long": ("https://shop.example/" + "a" * 2028, "length"),
    "label-too-long": ("https://" + "a" * 64 + ".example/", "host"),
    "name-too-long": ("https://" + "a." * 127 + "example/", "host"),
    "empty-label": ("https://shop..example/", "host"),
    "percent-in-host": ("https://%31%32%37.0.0.1/", "host"),
    "slash-lookalike": ("https://shop.example\uff0f@x/", "host"),
    "direction-override": ("https://shop\u202e.example/", "host"),
    "text-before-brackets": ("https://shop.example[::1]/", "host"),
    "no-ipv6-in-brackets": ("https://[1.2.3.4]:443:1/", "host"),
    "bracket-not-closed": ("https://[::1/", "host"),
    "zone": ("https://[fe80::1%25eth0]/", "host"),
    "ipv4-loopback": ("https://127.0.0.1/", "address"),
    "ipv4-loopback-trailing-dot": ("https://127.0.0.1./", "address"),
    "ipv4-unicode-digits": ("https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "address"),
    "ipv4-circled-digits": ("https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", "address"),
    "ipv4-idna-dots": ("https://127\u30020\u30020\u30021/", "address"),
    "ipv6-loopback": ("https://[::1]/", "address"),
    "ipv6-mapped": ("https://[::FFFF:127.0.0.1]/", "address"),
}


@pytest.mark.parametrize(("url", "target"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_url_of_a_public_receiver_is_read(url: str, target: Target) -> None:
    """Scheme, host and port come in one spelling, the path as it is sent."""
    assert AddressPolicy().check_url(url) == target


@pytest.mark.parametrize(("url", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_any_other_url_is_refused_with_a_stable_reason(url: str, reason: str) -> None:
    """Nothing is repaired or guessed."""
    with pytest.raises(TargetRefused) as refused:
        AddressPolicy().check_url(url)

    assert refused.value.reason == reason


def test_the_settings_open_http_and_networks() -> None:
    """For a demo and for tests; other schemes and networks stay closed."""
    policy = AddressPolicy(allowed_networks=(ip_network("127.0.0.0/8"),), allow_http=True)

    assert policy.check_url("http://127.0.0.1:8000/").authority == "127.0.0.1:8000"
    with pytest.raises(TargetRefused, match="https or http"):
        policy.check_url("ftp://127.0.0.1/")
    with pytest.raises(TargetRefused, match="not public"):
        policy.check_url("http://10.0.0.1/")


def test_an_allowed_origin_is_allowed_and_nothing_beside_it() -> None:
    """Another port, host or scheme stays closed."""
    policy = AddressPolicy(allowed_origins=frozenset({("http", "sandbox", 8904), ("http", "127.0.0.2", 80)}))

    assert policy.check_url("http://sandbox:8904/webhooks").port == 8904
    assert policy.check_url("http://127.0.0.2/x").host == "127.0.0.2"
    policy.check_address(ip_address("172.18.0.7"), "sandbox", 8904)
    for url, reason in (
        ("http://sandbox:8905/", "scheme"),
        ("http://shop.example:8904/", "scheme"),
        ("http://127.0.0.1/", "scheme"),
        ("https://127.0.0.2:81/", "address"),
        ("ftp://sandbox:8904/", "scheme"),
    ):
        with pytest.raises(TargetRefused) as refused:
            policy.check_url(url)
        assert refused.value.reason == reason
    for host, port in (("sandbox", 8905), ("other", 8904)):
        with pytest.raises(TargetRefused):
            policy.check_address(ip_address("172.18.0.7"), host, port)


def test_the_host_header_names_the_port_unless_it_is_the_schemes_own() -> None:
    """An IPv6 address stands in brackets."""
    assert Target("https", "shop.example", 443, "/").authority == "shop.example"
    assert Target("http", "shop.example", 443, "/").authority == "shop.example:443"
    assert Target("https", "2400::1", 8443, "/").authority == "[2400::1]:8443"


def test_a_refusal_does_not_say_which_address_a_name_led_to() -> None:
    """The text of a failed delivery must not map our network."""
    policy = AddressPolicy()

    with pytest.raises(TargetRefused) as refused:
        policy.check_url("https://10.11.12.13/")

    assert "10.11" not in refused.value.text
