"""Public addresses and others, judged one by one."""

from ipaddress import ip_address, ip_network

import pytest

from shared.network.hosts import addresses_found, is_allowed, is_public

NOT_PUBLIC = {
    "private-10": "10.1.2.3",
    "private-172": "172.31.255.254",
    "private-192": "192.168.0.1",
    "loopback": "127.0.0.1",
    "loopback-last": "127.255.255.254",
    "unspecified": "0.0.0.0",
    "this-network": "0.1.2.3",
    "link-local": "169.254.7.7",
    "metadata": "169.254.169.254",
    "metadata-in-carrier-nat": "100.100.100.200",
    "metadata-in-assignments": "192.0.0.192",
    "host-services": "168.63.129.16",
    "carrier-nat": "100.64.0.1",
    "documentation-1": "192.0.2.1",
    "documentation-2": "198.51.100.1",
    "documentation-3": "203.0.113.1",
    "benchmark": "198.19.0.1",
    "relay-6to4": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6-unspecified": "::",
    "v6-loopback": "::1",
    "v6-mapped-private": "::ffff:10.0.0.1",
    "v6-mapped-loopback": "::ffff:7f00:1",
    "v6-compatible-loopback": "::127.0.0.1",
    "v6-compatible-public": "::20.30.40.50",
    "v6-nat64-private": "64:ff9b::10.0.0.1",
    "v6-nat64-metadata": "64:ff9b::a9fe:a9fe",
    "v6-nat64-local": "64:ff9b:1::20.30.40.50",
    "v6-6to4-private": "2002:0a00:0001::1",
    "v6-6to4-public": "2002:141e:2832::1",
    "v6-teredo-private": "2001:0:141e:2832:0:0:f5ff:fffe",
    "v6-link-local": "fe80::1",
    "v6-site-local": "fec0::1",
    "v6-unique-local": "fd12:3456::1",
    "v6-metadata": "fd00:ec2::254",
    "v6-multicast": "ff02::1",
    "v6-documentation": "2001:db8::1",
    "v6-documentation-new": "3fff::1",
    "v6-benchmark": "2001:2::1",
    "v6-discard": "100::1",
    "v6-unallocated": "4000::1",
}

PUBLIC = {
    "v4": "20.30.40.50",
    "v4-below-carrier-nat": "100.63.255.255",
    "v4-above-carrier-nat": "100.128.0.0",
    "v4-above-private": "172.32.0.1",
    "v4-last": "223.255.255.254",
    "v6": "2400::1",
    "v6-mapped": "::ffff:20.30.40.50",
    "v6-nat64": "64:ff9b::20.30.40.50",
}


@pytest.mark.parametrize("text", NOT_PUBLIC.values(), ids=NOT_PUBLIC.keys())
def test_what_is_not_global_unicast_is_not_public(text: str) -> None:
    """Neither by itself nor by the IPv4 address in it."""
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC.values(), ids=PUBLIC.keys())
def test_other_peoples_addresses_are_public(text: str) -> None:
    """Also those just outside a special range, and those that only carry a public IPv4 address."""
    assert is_public(ip_address(text))


def test_an_allowed_network_opens_itself_and_nothing_more() -> None:
    """A range of the settings opens its addresses, in whichever way they are written."""
    allowed = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]

    assert is_allowed(ip_address("10.1.2.3"), allowed)
    assert is_allowed(ip_address("::ffff:10.1.2.3"), allowed)
    assert is_allowed(ip_address("fd00:1::1"), allowed)
    assert is_allowed(ip_address("20.30.40.50"), allowed)
    assert not is_allowed(ip_address("10.2.0.1"), allowed)
    assert not is_allowed(ip_address("::ffff:10.2.0.1"), allowed)


def test_an_allowed_tunnel_range_does_not_open_what_is_behind_the_tunnel() -> None:
    """The IPv4 address in a 6to4 address is judged as well."""
    allowed = [ip_network("2002::/16")]

    assert is_allowed(ip_address("2002:141e:2832::1"), allowed)
    assert not is_allowed(ip_address("2002:7f00:1::1"), allowed)


def test_a_resolvers_answer_becomes_addresses_in_its_order_each_once() -> None:
    """Scopes are dropped, repeats too."""
    found = [
        (10, 1, 6, "", ("fe80::1%eth0", 0, 0, 2)),
        (2, 1, 6, "", ("127.0.0.1", 0)),
        (2, 1, 6, "", ("127.0.0.1", 0)),
    ]

    assert addresses_found(found) == (ip_address("fe80::1"), ip_address("127.0.0.1"))
