"""The canonical text of a terminal's host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.network.hosts import HostRefused, read_host

READ = {
    "127.0.0.2": "127.0.0.2",
    "127.0.0.2.": "127.0.0.2",
    "Terminal-7.Shop.Example": "terminal-7.shop.example",
    "terminal-7.shop.example.": "terminal-7.shop.example",
    "till_7": "till_7",
    "7till": "7till",
    "0x7f.example": "0x7f.example",
    "caf\u00e9.example": "xn--caf-dma.example",
    "\uff11\uff12\uff17.0.0.2": "127.0.0.2",  # full-width digits
    "::1": "::1",
    "2606:4700:0:0::1": "2606:4700::1",
    "2606:4700::ABCD": "2606:4700::abcd",
    "::ffff:127.0.0.2": "127.0.0.2",
    "::127.0.0.2": "127.0.0.2",
    "64:ff9b::7f00:2": "127.0.0.2",
    "2002:7f00:2::5": "127.0.0.2",
}

REFUSED = [
    "127.000.000.010",
    "127.0.0.010",
    "127.1",
    "127.1.",
    "0x7f.1",
    "0x7f.0.0.0x1",
    "0x7f000001",
    "2130706433",
    "127.0.0.256",
    "1.2.3.4.5",
    "\uff11\uff12\uff17.1",
    " 127.0.0.2",
    "127.0.0.2 ",
    "till example",
    "till\texample",
    "till\u00a0example",
    "\n",
    "127.0.0.2:8888",
    "till.example:8888",
    "[::1]",
    "[::1]:8888",
    "[::1%99]",
    "::1%99",
    "fe80::1%eth0",
    "127.0.0.2%1",
    "::ffff:127.000.000.002",
    "http://till.example",
    "tcp://127.0.0.2",
    "till.example/",
    "127.0.0.0/8",
    "user@till.example",
    "till..example",
    ".till",
    ".",
    "-till",
    "till-.example",
    "t" * 64,
    "\u00e9" * 300_000,
    ".".join(["t" * 60] * 5),
    "till\0",
    "\ud800",
    "t*ll",
]


@pytest.mark.parametrize(("text", "read"), READ.items())
def test_every_spelling_of_a_host_is_read_as_one(text: str, read: str) -> None:
    """Upper case, a dot at the end, other scripts, other forms of one address."""
    assert read_host(text) == read


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_a_text_that_resolvers_read_differently_is_refused(text: str) -> None:
    """Short and octal addresses, zone ids, and what is more than a host."""
    with pytest.raises(HostRefused):
        read_host(text)


@given(st.text(max_size=20) | st.text(alphabet="0123456789abcdefx.:%[]/-_ ", max_size=20))
def test_a_canonical_text_is_read_as_itself(text: str) -> None:
    """Whatever was written: there is one spelling, in ASCII."""
    try:
        read = read_host(text)
    except HostRefused:
        return
    assert read.isascii()
    assert read_host(read) == read
