"""Signing secrets in the form of Standard Webhooks."""

import base64
import os

import pytest
from standardwebhooks import Webhook

from shared.security.credentials import is_webhook_secret, new_webhook_secret


def test_a_new_secret_has_256_random_bits_and_the_librarys_form() -> None:
    """Two are never equal."""
    secret = new_webhook_secret(os.urandom)

    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert is_webhook_secret(secret)
    assert secret != new_webhook_secret(os.urandom)
    Webhook(secret)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("whsec_" + base64.b64encode(bytes(24)).decode(), True),
        ("whsec_" + base64.b64encode(bytes(64)).decode(), True),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), False),
        (base64.b64encode(bytes(32)).decode(), False),
        ("whsec_not base64 but long enough to be one", False),
        ("whsec_é" + "A" * 40, False),
        ("whsec_", False),
        ("", False),
    ],
    ids=["24_bytes", "64_bytes", "23_bytes", "no_prefix", "no_base64", "no_ascii", "prefix_alone", "nothing"],
)
def test_a_given_secret_is_checked(text: str, is_one: bool) -> None:
    """At least 24 bytes in base64 after the prefix."""
    assert is_webhook_secret(text) is is_one
