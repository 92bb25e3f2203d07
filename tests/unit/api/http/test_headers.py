"""Request headers of ours."""

import pytest

from api.http.errors import InvalidHeader
from api.http.query import NO_PREFERENCE, Preference, read_idempotency_key, read_preference


@pytest.mark.parametrize(
    ("headers", "preference"),
    [
        ([], NO_PREFERENCE),
        ([""], NO_PREFERENCE),
        (["respond-async"], Preference(respond_async=True)),
        (["Respond-Async, WAIT=10"], Preference(respond_async=True, wait_seconds=10)),
        (["wait=10", "respond-async"], Preference(respond_async=True, wait_seconds=10)),
        (["wait = 10"], Preference(wait_seconds=10)),
        (['wait="10"; why=hurry'], Preference(wait_seconds=10)),
        (["wait=10, wait=20"], Preference(wait_seconds=10)),
        (["wait=0"], Preference(wait_seconds=0)),
        (["handling=lenient, return=minimal"], NO_PREFERENCE),
    ],
)
def test_preferences_are_read_as_the_standard_says(headers: list[str], preference: Preference) -> None:
    """RFC 7240: any order, any case, several headers; what is not known is ignored."""
    assert read_preference(headers) == preference


@pytest.mark.parametrize("header", ["wait", "wait=", "wait=x", "wait=-1", "wait=1.5", "wait=1e3", "wait=٣"])
def test_a_wait_that_is_no_number_is_refused(header: str) -> None:
    """A client that believes in a limit must not wait for ever."""
    with pytest.raises(InvalidHeader):
        read_preference([header])


@pytest.mark.parametrize(
    "headers", [[""], ["a b"], ["é"], ["k" * 256], ["key-1", "key-2"], ["key-1", "key-1"]]
)
def test_a_key_that_names_no_single_operation_is_refused(headers: list[str]) -> None:
    """Of two keys the first one silently counted, and the second one's refund was answered from another's."""
    with pytest.raises(InvalidHeader):
        read_idempotency_key(headers)


def test_a_key_is_optional_and_kept_as_it_was_sent() -> None:
    assert read_idempotency_key([]) is None
    assert read_idempotency_key(["Key-1,~!"]) == "Key-1,~!"
