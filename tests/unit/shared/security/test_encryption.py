"""Encryption of secrets at rest."""

import base64
import os

import pytest

from shared.security.encryption import DecryptionFailed, SecretCipher

KEY = b"the installation's key"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OWNER = "whe_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"


def encrypted() -> str:
    return SecretCipher(KEY).encrypt(SECRET, OWNER, os.urandom)


def test_a_secret_can_be_decrypted_with_the_same_key() -> None:
    """By any process that has the installation's key."""
    assert SecretCipher(KEY).decrypt(encrypted(), OWNER) == SECRET


def test_the_stored_text_never_repeats() -> None:
    """Equal secrets have different texts."""
    first, second = encrypted(), encrypted()

    assert first != second
    for stored in (first.encode(), base64.b64decode(first)):
        assert SECRET.encode() not in stored
        assert SECRET.removeprefix("whsec_").encode() not in stored


def test_another_key_decrypts_nothing() -> None:
    """A copy of the database alone is worthless."""
    with pytest.raises(DecryptionFailed):
        SecretCipher(b"another key").decrypt(encrypted(), OWNER)


def test_a_secret_moved_to_another_owner_is_not_decrypted() -> None:
    """A change in the database cannot make one endpoint be signed with another's secret."""
    with pytest.raises(DecryptionFailed):
        SecretCipher(KEY).decrypt(encrypted(), "whe_another")


def test_a_changed_byte_anywhere_is_detected() -> None:
    """In the nonce, the text and the tag."""
    content = base64.b64decode(encrypted())
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1

        with pytest.raises(DecryptionFailed):
            SecretCipher(KEY).decrypt(base64.b64encode(bytes(changed)).decode(), OWNER)


@pytest.mark.parametrize("text", ["", "A", "AAAA", "no base64 é", "A" * 12, "A" * 16 + "=A"], ids=repr)
def test_a_text_that_was_never_encrypted_is_not_decrypted(text: str) -> None:
    """A damaged row is a named error."""
    with pytest.raises(DecryptionFailed):
        SecretCipher(KEY).decrypt(text, OWNER)


def test_the_error_does_not_contain_the_secret() -> None:
    """It is logged."""
    with pytest.raises(DecryptionFailed) as caught:
        SecretCipher(b"another key").decrypt(encrypted(), OWNER)

    assert OWNER in str(caught.value)
    assert SECRET not in str(caught.value)
