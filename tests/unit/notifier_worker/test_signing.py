"""Signatures, checked with the public library that receivers use."""

import base64
import hashlib
import os
import time
from collections.abc import Mapping

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from notifier_worker.webhook_request import basic_authorization, signed_headers
from shared.security.credentials import new_webhook_secret

ID = "dlv_01JNK4T0V8W9A4C6Q2Y3ZB5XDE_1_x"
BODY = b'{"type":"payment.succeeded","amount":250,"name":"Boulangerie \\u00e9"}'
OURS = new_webhook_secret(os.urandom)
OLDER = new_webhook_secret(os.urandom)


def signed(*secrets: str, seconds_ago: float = 0) -> dict[str, str]:
    return dict(signed_headers(ID, BODY, secrets or (OURS,), at_seconds=time.time() - seconds_ago))


def verifies(headers: Mapping[str, str], body: bytes = BODY, secret: str = OURS) -> bool:
    try:
        Webhook(secret).verify(body, dict(headers))
    except WebhookVerificationError:
        return False
    return True


def test_a_receiver_with_the_public_library_verifies() -> None:
    """Id and time are signed with the body."""
    headers = signed()

    assert verifies(headers)
    assert headers["webhook-id"] == ID
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_every_changed_byte_of_the_body_is_detected() -> None:
    """One bit is enough, wherever it is."""
    headers = signed()
    for at in range(len(BODY)):
        changed = bytearray(BODY)
        changed[at] ^= 1

        assert not verifies(headers, bytes(changed))


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_changed_headers_are_detected(header: str) -> None:
    """A repeated body under another id or time does not verify."""
    headers = signed()
    changed = {
        "webhook-id": ID + "x",
        "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1),
        "webhook-signature": f"v1,{base64.b64encode(bytes(32)).decode()}",
    }

    assert not verifies({**headers, header: changed[header]})


@pytest.mark.parametrize("minutes", [6, 60, -6], ids=["six_minutes_old", "an_hour_old", "from_the_future"])
def test_another_time_fails(minutes: float) -> None:
    """A recorded webhook cannot be replayed later."""
    assert not verifies(signed(seconds_ago=60 * minutes))


def test_a_wrong_secret_fails() -> None:
    """Another secret does not verify our signature."""
    assert not verifies(signed(), secret=OLDER)


def test_during_a_rotation_both_secrets_verify() -> None:
    """A receiver changes its secret at any time within the overlap."""
    headers = signed(OURS, OLDER)

    assert len(headers["webhook-signature"].split(" ")) == 2
    assert verifies(headers, secret=OURS)
    assert verifies(headers, secret=OLDER)
    assert not verifies(headers, secret=new_webhook_secret(os.urandom))


def test_hipays_own_signature_is_beside_it_with_the_newest_secret() -> None:
    """SHA-256 of the body followed by the secret's text."""
    headers = signed(OURS, OLDER)

    assert headers["x-hipay-signature"] == hashlib.sha256(BODY + OURS.encode()).hexdigest()


def test_basic_credentials_are_those_of_http() -> None:
    """User name, colon, password, in UTF-8."""
    given = basic_authorization("tills", "s3cret:é")["authorization"]

    scheme, _, pair = given.partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode() == "tills:s3cret:é"
