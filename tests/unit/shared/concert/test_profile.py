"""A profile is checked where it is read, key by key."""

import json
from typing import Any

import pytest

from shared.concert.profile import Profile, ProfileError


def test_a_profile_survives_json() -> None:
    """to_dict and from_dict are each other's reverse."""
    profile = Profile(sends_contract=False, receipt="120", version="0300", request_ends_with="\r\n")

    assert Profile.from_dict(json.loads(json.dumps(profile.to_dict()))) == profile


def test_the_default_sends_reference_and_receipt_only() -> None:
    """The protocol description's default; an unregistered terminal has it, too."""
    profile = Profile()

    assert (profile.sends_reference, profile.receipt, profile.receipt_by) == (True, "100", "none")
    assert not profile.accepts_partial
    assert not profile.bare_success
    assert profile.terminal_time_seconds is None
    assert Profile.from_dict({}) == profile


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"sends_everything": True}, "sends_everything"),
        ({"sends_reference": 1}, "sends_reference"),
        ({"sends_reference": None}, "sends_reference"),
        ({"accepts_partial": "yes"}, "accepts_partial"),
        ({"terminal_time_seconds": True}, "terminal_time_seconds"),
        ({"terminal_time_seconds": 240.5}, "terminal_time_seconds"),
        ({"terminal_time_seconds": 0}, "terminal_time_seconds"),
        ({"receipt": 100}, "receipt"),
        ({"receipt": "1"}, "receipt"),
        ({"version": "03é0"}, "version"),
        ({"version": 300}, "version"),
        ({"request_ends_with": "\n"}, "request_ends_with"),
        ({"receipt_by": "fax"}, "receipt_by"),
        ({"receipt_by": ["sms"]}, "receipt_by"),
    ],
)
def test_a_wrong_key_or_value_is_named(given: dict[str, Any], key: str) -> None:
    """The error says which key is wrong, so that an API can show it."""
    with pytest.raises(ProfileError, match=key) as raised:
        Profile.from_dict(given)

    assert raised.value.key == key
