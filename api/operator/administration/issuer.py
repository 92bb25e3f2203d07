"""Issuer of merchant ids, and of credentials with their secrets."""

from dataclasses import dataclass, field
from typing import Final

from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_credential_id, new_merchant_id
from shared.security.credentials import hash_secret, new_secret


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that is shown once, and its keyed hash, which is stored."""

    secret: str = field(repr=False)
    hash: str


class Issuer:
    """Ids and secrets of this installation."""

    def __init__(self, secret_key: bytes, clock: Clock, random_bytes: RandomBytes) -> None:
        self._secret_key: Final = secret_key
        self._clock: Final = clock
        self._random_bytes: Final = random_bytes

    def merchant_id(self) -> str:
        return new_merchant_id(self._clock, self._random_bytes)

    def username(self) -> str:
        return new_credential_id(self._random_bytes)

    def secret(self) -> Secret:
        """Return a new secret."""
        secret = new_secret(self._random_bytes)
        return Secret(secret, hash_secret(self._secret_key, secret))
