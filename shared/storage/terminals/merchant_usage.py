"""Bytes of orders that merchants store a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

_DAY_MS: Final = 86_400_000
_KEPT_DAYS: Final = 31

_NOW = Statement("SELECT {now} AS now")
_ADD = Statement(
    "INSERT INTO merchant_usage (merchant_id, day, order_bytes) VALUES (:merchant_id, :day, :bytes)"
    " ON CONFLICT (merchant_id, day) DO UPDATE SET order_bytes = merchant_usage.order_bytes"
    " + excluded.order_bytes"
)
_READ = Statement(
    "SELECT merchant_id, order_bytes FROM merchant_usage WHERE day = :day AND merchant_id {in_ids}"
)
_FORGET = Statement("DELETE FROM merchant_usage WHERE day < :day")


@dataclass(frozen=True, slots=True)
class Today:
    """Bytes that merchants stored on the database's current day, which is numbered from 1970."""

    day: int
    left_seconds: float
    bytes: Mapping[str, int]


async def add_bytes(
    database: Database, added: Mapping[str, int], merchant_ids: Sequence[str], *, forgets: bool
) -> Today:
    """Add to the bytes that merchants stored today, and return the sums of `merchant_ids`.

    `forgets`: also delete the rows that are older than a month. Raises DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> Today:
        row = await tx.one(_NOW)
        assert row is not None
        day, passed_ms = divmod(row.now, _DAY_MS)
        # Sorted, as in every transaction that takes several locks.
        rows = [{"merchant_id": id_, "day": day, "bytes": added[id_]} for id_ in sorted(added)]
        await tx.run_many(_ADD, rows)
        if forgets:
            await tx.run(_FORGET, day=day - _KEPT_DAYS)
        found = await tx.all_of(_READ, merchant_ids, day=day)
        return Today(
            day, (_DAY_MS - passed_ms) / 1000, {row.merchant_id: int(row.order_bytes) for row in found}
        )

    return await database.write(work)
