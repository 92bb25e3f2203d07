"""The Location of a redirect, as it is kept for display."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier_worker.http.client import MAX_LOCATION_CHARACTERS, kept_location


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"https://127.0.0.1:8443/hooks/", "https://127.0.0.1:8443/hooks/"),
        (b"/hooks/", "/hooks/"),
        (b"https://shop:secret@127.0.0.1/hooks", "https://***@127.0.0.1/hooks"),
        (b"//shop:se@cret@127.0.0.1/hooks", "//***@127.0.0.1/hooks"),
        (b"https://127.0.0.1/hooks?token=secret#part", "https://127.0.0.1/hooks?..."),
        (b"/hooks#access_token=secret", "/hooks#..."),
        (b"/pay/4970101234567890", "/pay/497010******7890"),
        (b"/a\x00b\x1b[31m\xffc", "/a\ufffdb\ufffd[31m\ufffdc"),
        ("/caf\u00e9".encode(), "/caf\u00e9"),
    ],
)
def test_a_kept_location_has_no_secret(raw: bytes, kept: str) -> None:
    """Its address stays; user names, passwords, queries and card numbers do not."""
    assert kept_location(raw) == kept


@given(st.binary(max_size=6000))
def test_anything_is_kept_as_a_short_line(raw: bytes) -> None:
    """Every database accepts it, and it has no control characters for a terminal."""
    text = kept_location(raw)

    assert len(text) <= MAX_LOCATION_CHARACTERS
    assert text.isprintable() or "\ufffd" in text
    assert "\x00" not in text
