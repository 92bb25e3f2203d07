"""Authentication by HTTP Basic: names and secrets, checked against keyed hashes."""

import asyncio
import binascii
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from api.http.logins.errors import (
    HEADER_EMPTY,
    HEADER_INVALID,
    HEADER_NOT_BASIC,
    HEADER_NOT_FOUND,
    INCORRECT_CREDENTIALS,
    PublicCredential,
    TooManyFailedLogins,
    Unauthorized,
    WrongCredentialKind,
)
from api.http.server.middleware import client_host, logged_in
from api.limits.failed_logins import FailedLogins, MustPause
from api.limits.fair_shares import FairShares, Share
from shared.runtime.clock import Clock
from shared.runtime.resilience import failures_logged
from shared.runtime.shared_reads import Batches, TtlCache
from shared.security.credentials import CredentialKind, hash_secret
from shared.storage.administration import credential_register
from shared.storage.db.engine import Database
from shared.storage.terminals import merchants
from shared.storage.terminals.merchants import Credential

_MAX_CACHED: Final = 10_000
#: Names that one statement reads.
_BATCH: Final = 200
#: How often the times of last uses are stored.
STORE_SECONDS: Final = 60.0
#: Credentials of one statement.
_STORED_TOGETHER: Final = 1000


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """Name and password as the client sent them; not checked yet."""

    username: str
    password: str = field(repr=False)


def parse_basic(header: str | None) -> BasicCredentials:
    """Return the pair; raise Unauthorized with the contract's text for each way of getting it wrong.

    A control character is malformed (RFC 7617); it would also be a text that PostgreSQL refuses.
    """
    if header is None:
        raise Unauthorized(HEADER_NOT_FOUND)
    header = header.strip(" \t")
    if not header:
        raise Unauthorized(HEADER_EMPTY)
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized(HEADER_NOT_BASIC)
    try:
        pair = binascii.a2b_base64(token.strip(" ").encode("ascii"), strict_mode=True).decode()
    except ValueError:
        raise Unauthorized(HEADER_INVALID) from None
    username, colon, password = pair.partition(":")
    if not colon or not pair.isprintable():
        raise Unauthorized(HEADER_INVALID)
    return BasicCredentials(username, password)


class LastUses:
    """Credentials that were used since that was last stored, once a minute: a request writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._used: set[str] = set()

    def add(self, name: str) -> None:
        """Note a use."""
        self._used.add(name)

    async def run(self) -> None:
        """Store periodically until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(STORE_SECONDS)
                with failures_logged("last uses of credentials not stored"):
                    await self.store()
        finally:
            with failures_logged("last uses of credentials not stored"):
                await self.store()

    async def store(self) -> None:
        """Store what was used; a part that fails is kept for the next time.

        Raises DatabaseUnavailable, CommitUnknown.
        """
        while self._used:
            names = sorted(self._used)[:_STORED_TOGETHER]
            self._used.difference_update(names)
            try:
                await credential_register.store_uses(self._database, names)
            except (Exception, asyncio.CancelledError):
                self._used.update(names)
                raise


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
        last_uses: LastUses,
    ) -> None:
        self._secret_key: Final = secret_key
        self._clock: Final = clock
        self._shares: Final = shares
        self._failed_logins: Final = failed_logins
        self._last_uses: Final = last_uses
        self._cached: Final = TtlCache[str, Credential](clock, cache_seconds, max_entries=_MAX_CACHED)
        # A thousand requests at once take one connection of the pool, not all that it has.
        self._reads: Final = Batches[str, Credential](
            lambda names: merchants.credentials(database, names), most=_BATCH
        )
        self._nobody: Final = hash_secret(secret_key, secrets.token_hex(16))

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
            raise WrongCredentialKind(credential.kind, kind)
        logged_in()
        self._last_uses.add(credential.id)
        if share is not None:
            self._shares.take(share, credential)
        return credential

    async def _known(self, authorization: str | None) -> Credential:
        said = parse_basic(authorization)
        given = hash_secret(self._secret_key, said.password)
        known = self._cached.get(said.username)
        if known is not None and self._matches(given, known):
            return known
        client = client_host()
        try:
            self._failed_logins.check(said.username, given, client)
        except MustPause as pause:
            raise TooManyFailedLogins(pause.seconds, pause.limit) from None
        # Whatever is wrong, it costs one read of the database and the same comparisons: the time that a
        # refusal takes is the same for a known name and an unknown one.
        found = await self._read(said.username)
        matches = self._matches(given, found)
        if found is None or not matches:
            self._failed_logins.failed(said.username, client)
            raise Unauthorized(INCORRECT_CREDENTIALS)
        self._failed_logins.succeeded(said.username, given)
        return found

    def _matches(self, given: str, known: Credential | None) -> bool:
        """Compare with the secret, and with the earlier one while it is valid."""
        current, earlier = (self._nobody, None) if known is None else (known.secret_hash, known.earlier_hash)
        matches = hmac.compare_digest(given, current)
        return hmac.compare_digest(given, earlier or self._nobody) or matches

    async def _read(self, name: str) -> Credential | None:
        """Return the stored credential; its age in the cache counts from before the query."""
        now = self._clock.monotonic()
        found = await self._reads.get(name)
        if found is None:
            self._cached.discard(name)
        else:
            self._cached.put(name, found, since=now)
        return found


def merchant_of(credential: Credential) -> str:
    """Return the id of the merchant of a private credential."""
    assert credential.merchant_id is not None, "a private credential belongs to a merchant"
    return credential.merchant_id
