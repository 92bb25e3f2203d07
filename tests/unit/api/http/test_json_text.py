"""Reading and writing JSON text."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.errors import UnreadableBody
from api.http.json_text import NESTING_LIMIT, read_json, without_surrogates, write_json

# Any code unit, so that texts with lone surrogates are drawn as well.
texts = st.text(st.characters(exclude_categories=[]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no body"),
        (b" \n", "no body"),
        (b"{", "not valid JSON"),
        (b"{} x", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": Infinity}', "not valid JSON"),
        (b'{"a": -Infinity}', "not valid JSON"),
        (b'{"a": 1e999}', "not valid JSON"),
        (b'{"a": 01}', "not valid JSON"),
        (b'{"a": "\n"}', "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"a=1&b=2", "not valid JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"[" * (NESTING_LIMIT + 1) + b"]" * (NESTING_LIMIT + 1), "levels"),
        (b'{"a":' * (NESTING_LIMIT + 1), "levels"),
        (b'{"a":' * 100_000, "values"),
        (b'{"amount": 1, "amount": 100}', "same name twice"),
        (b'{"a": [{"b": 1, "\\u0062": 1}]}', "same name twice"),
        (b'{"a": ' + b"9" * 1001 + b"}", "not valid JSON"),
        (b"[" + b"1," * 120_000 + b"1]", "values"),
        (b"[" + b"{}," * 80_000 + b"{}]", "values"),
        (b"[" + b'"",' * 80_000 + b'""]', "values"),
    ],
)
def test_what_is_no_json_is_a_clear_400(body: bytes, words: str) -> None:
    """Never a crash of the reader, never a guess."""
    with pytest.raises(UnreadableBody) as refused:
        read_json(body)

    assert words in refused.value.description
    assert refused.value.body()["error"]["code"] == "unreadable.body.bad.request"


def test_the_deepest_allowed_text_is_read() -> None:
    """64 levels."""
    body = b"[" * NESTING_LIMIT + b"]" * NESTING_LIMIT

    assert write_json(read_json(body)).encode() == body


def test_brackets_in_strings_or_side_by_side_are_no_nesting() -> None:
    """Only levels count."""
    value = {"text": "[{" * 200 + '"', "rows": [[] for _ in range(200)]}

    assert read_json(json.dumps(value).encode()) == value


def test_a_string_without_an_end_is_read_in_one_pass() -> None:
    """256 KiB of escaped quotes after many brackets are no way to hold the reader up."""
    body = b"[]," * 65 + b'"' + b'\\"' * 131_000
    start = time.perf_counter()

    with pytest.raises(UnreadableBody):
        read_json(body)

    assert time.perf_counter() - start < 1


def test_commas_in_strings_are_no_values() -> None:
    """Only values count."""
    value = {"text": "," * 100_000 + '"', "rows": [1, 2]}

    assert read_json(json.dumps(value).encode()) == value


def test_a_byte_order_mark_is_passed_over() -> None:
    """Some clients write one."""
    assert read_json(b"\xef\xbb\xbf{}") == {}


@given(values)
def test_everything_that_is_read_can_be_written_and_read_again(value: Any) -> None:
    """The text is UTF-8, has no U+0000, and means the same."""
    text = write_json(value)

    assert "\0" not in text
    assert read_json(text.encode()) == value


@given(values)
def test_a_copy_without_surrogates_can_be_encoded(value: Any) -> None:
    """Lone surrogates become U+0000, which is forbidden in the same places."""
    json.dumps(without_surrogates(value), ensure_ascii=False).encode()


def test_a_number_that_is_no_json_is_never_written() -> None:
    """NaN in an answer would break every strict reader."""
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json({"a": float("nan")})
