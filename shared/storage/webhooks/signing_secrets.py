"""The secrets that sign what goes to an endpoint, sealed before they come here.

After a rotation several sign, so that a receiver may change to the new one at any time before the earlier
ones end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

#: Of one endpoint at the same time; each adds a signature to every webhook.
SECRETS_AT_MOST: Final = 5

_SIGNING = Statement(
    "SELECT endpoint_id, created_at, ends_at FROM webhook_secrets WHERE endpoint_id {in_ids}"
    " AND (ends_at IS NULL OR ends_at > {now}) ORDER BY id DESC"
)
_INSERT = Statement(
    "INSERT INTO webhook_secrets (endpoint_id, sealed, created_at) VALUES (:id, :sealed, {now})"
)
_LOCK_ENDPOINT = Statement(
    "SELECT id FROM webhook_endpoints WHERE merchant_id = :merchant_id AND id = :id {for_update}"
)
_END_EARLIER = Statement(
    "UPDATE webhook_secrets SET ends_at = {now} + :overlap_ms WHERE endpoint_id = :id"
    " AND (ends_at IS NULL OR ends_at > {now} + :overlap_ms)"
)
#: A secret that signs no more is of use to nobody but a thief.
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
    """So many secrets of the endpoint sign that no other may be added."""


async def of(tx: Transaction, endpoint_ids: Sequence[str]) -> dict[str, list[SigningSecret]]:
    """Return for each endpoint what signs now, the newest first."""
    found: dict[str, list[SigningSecret]] = {endpoint_id: [] for endpoint_id in endpoint_ids}
    if found:
        for row in await tx.all_of(_SIGNING, list(found)):
            found[row.endpoint_id].append(SigningSecret(row.created_at, row.ends_at))
    return found


async def add(tx: Transaction, endpoint_id: str, sealed: str) -> None:
    """Let a secret sign; `sealed` with the endpoint's id as owner, see `shared.security.encryption`."""
    await tx.run(_INSERT, id=endpoint_id, sealed=sealed)


async def rotate(
    database: Database, merchant_id: str, endpoint_id: str, sealed: str, *, overlap_seconds: float
) -> tuple[bool, int | None]:
    """Let a new secret sign at once; the earlier ones go on for `overlap_seconds` at most.

    Return whether the merchant has such an endpoint, and until when (milliseconds since 1970) an earlier
    secret signs. Raises TooManySecrets, DatabaseUnavailable, CommitUnknown.
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
        await add(tx, endpoint_id, sealed)
        return True, earlier.end_at

    return await database.write(work)
