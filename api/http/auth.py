"""Authentication by HTTP Basic: names and secrets, checked against keyed hashes."""

import hmac
import secrets
from typing import Final

from api.http.basic_auth import parse_basic
from api.http.errors import (
    INCORRECT_CREDENTIALS,
    PublicCredential,
    TooManyFailedLogins,
    Unauthorized,
    WrongCredentialKind,
)
from api.http.failed_logins import FailedLogins, MustPause
from api.http.middleware import client_host, logged_in
from api.limits.fair_shares import FairShares, Share
from shared.runtime.clock import Clock
from shared.runtime.ttl_cache import TtlCache
from shared.security.credentials import CredentialKind, hash_secret
from shared.storage.db.engine import Database
from shared.storage.terminals import merchants
from shared.storage.terminals.merchants import Credential

_MAX_CACHED: Final = 10_000


class Credentials:
    """A checker of credentials, which counts their calls and caches each credential for a while."""

    def __init__(
        self,
        database: Database,
        secret_key: bytes,
        clock: Clock,
        cache_seconds: float,
        *,
        shares: FairShares,
        failed_logins: FailedLogins,
    ) -> None:
        self._database: Final = database
        self._secret_key: Final = secret_key
        self._clock: Final = clock
        self._shares: Final = shares
        self._failed_logins: Final = failed_logins
        self._cached: Final = TtlCache[str, Credential](clock, cache_seconds, max_entries=_MAX_CACHED)
        self._nobody: Final = hash_secret(secret_key, secrets.token_hex(16))

    async def merchant(
        self, authorization: str | None, *, share: Share | None = Share.MANAGEMENT
    ) -> Credential:
        return await self.of_kind(authorization, CredentialKind.PRIVATE, share)

    async def operator(self, authorization: str | None) -> Credential:
        return await self.of_kind(authorization, CredentialKind.OPERATOR, Share.MANAGEMENT)

    async def of_kind(
        self, authorization: str | None, kind: CredentialKind, share: Share | None
    ) -> Credential:
        """Return the credential of this kind behind an Authorization header.

        `share` is the share that this call counts for; None: the route counts it. Raises Unauthorized,
        PublicCredential, WrongCredentialKind, TooManyFailedLogins, TooManyRequests, DatabaseUnavailable.
        """
        credential = await self._known(authorization)
        if credential.kind is CredentialKind.PUBLIC:
            raise PublicCredential
        if credential.kind is not kind:
            raise WrongCredentialKind
        logged_in()
        if share is not None:
            self._shares.take(share, credential)
        return credential

    async def _known(self, authorization: str | None) -> Credential:
        said = parse_basic(authorization)
        given = hash_secret(self._secret_key, said.password)
        known = self._cached.get(said.username)
        if known is not None and hmac.compare_digest(given, known.secret_hash):
            return known
        client = client_host()
        try:
            self._failed_logins.check(said.username, given, client)
        except MustPause as pause:
            raise TooManyFailedLogins(pause.seconds) from None
        # Whatever is wrong, it costs one read of the database and one comparison: the time that a refusal
        # takes is the same for a known name and an unknown one.
        found = await self._read(said.username)
        matches = hmac.compare_digest(given, self._nobody if found is None else found.secret_hash)
        if found is None or not matches:
            self._failed_logins.failed(said.username, client)
            raise Unauthorized(INCORRECT_CREDENTIALS)
        self._failed_logins.succeeded(said.username, given)
        return found

    async def _read(self, name: str) -> Credential | None:
        """Return the stored credential; its age in the cache counts from before the query."""
        now = self._clock.monotonic()
        found = await merchants.credential(self._database, name)
        if found is None:
            self._cached.discard(name)
        else:
            self._cached.put(name, found, since=now)
        return found
