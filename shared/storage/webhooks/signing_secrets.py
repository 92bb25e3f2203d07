"""Secrets that sign an endpoint's webhooks, encrypted before they are stored.

After a rotation several sign, so that a receiver can change to the new one before the earlier ones end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

#: Secrets of one endpoint that sign at the same time; each adds a signature to every webhook.
SECRETS_AT_MOST: Final = 5

_SIGNING = Statement(
    "SELECT endpoint_id, created_at, ends_at FROM webhook_secrets WHERE endpoint_id {in_ids}"
    " AND (ends_at IS NULL OR ends_at > {now}) ORDER BY id DESC"
)
_INSERT = Statement(
    "INSERT INTO webhook_secrets (endpoint_id, encrypted, created_at) VALUES (:id, :encrypted, {now})"
)
_LOCK_ENDPOINT = Statement(
    "SELECT id FROM webhook_endpoints WHERE merchant_id = :merchant_id AND id = :id {for_update}"
)
_END_EARLIER = Statement(
    "UPDATE webhook_secrets SET ends_at = {now} + :overlap_ms WHERE endpoint_id = :id"
    " AND (ends_at IS NULL OR ends_at > {now} + :overlap_ms)"
)
#: A secret that signs no more is only useful to a thief.
_DROP_ENDED = Statement("DELETE FROM webhook_secrets WHERE endpoint_id = :id AND ends_at <= {now}")
_EARLIER = Statement(
    "SELECT COUNT(*) AS number, MAX(ends_at) AS end_at FROM webhook_secrets WHERE endpoint_id = :id"
)


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """A secret that signs now; `ends_at` is None for the newest. Milliseconds since 1970 UTC."""

    created_at: int
    ends_at: int | None


class TooManySecrets(Exception):
    """Raised when the endpoint has reached its limit of secrets that sign."""


async def of(tx: Transaction, endpoint_ids: Sequence[str]) -> dict[str, list[SigningSecret]]:
    """Return for each endpoint the secrets that sign now, the newest first."""
    found: dict[str, list[SigningSecret]] = {endpoint_id: [] for endpoint_id in endpoint_ids}
    if found:
        for row in await tx.all_of(_SIGNING, list(found)):
            found[row.endpoint_id].append(SigningSecret(row.created_at, row.ends_at))
    return found


async def add(tx: Transaction, endpoint_id: str, encrypted: str) -> None:
    """Add a secret; `encrypted` with the endpoint's id as owner, see `shared.security.secret_key`."""
    await tx.run(_INSERT, id=endpoint_id, encrypted=encrypted)


async def rotate(
    database: Database, merchant_id: str, endpoint_id: str, encrypted: str, *, overlap_seconds: float
) -> tuple[bool, int | None]:
    """Add a new secret; the earlier ones end after `overlap_seconds` at the latest.

    Return True if the merchant has such an endpoint, and the time (milliseconds since 1970) until which an
    earlier secret signs. Raises TooManySecrets, DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> tuple[bool, int | None]:
        if await tx.one(_LOCK_ENDPOINT, merchant_id=merchant_id, id=endpoint_id) is None:
            return False, None
        await tx.run(_END_EARLIER, id=endpoint_id, overlap_ms=round(overlap_seconds * 1000))
        await tx.run(_DROP_ENDED, id=endpoint_id)
        earlier = await tx.one(_EARLIER, id=endpoint_id)
        assert earlier is not None, "an aggregate has a row"
        if earlier.number >= SECRETS_AT_MOST:
            raise TooManySecrets
        await add(tx, endpoint_id, encrypted)
        return True, earlier.end_at

    return await database.write(work)
