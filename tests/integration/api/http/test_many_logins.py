"""Log-ins of many requests at once."""

import asyncio
from collections.abc import Sequence

import pytest
from running.api_alone import ApiAlone, Caller

from shared.storage.db.engine import Database
from shared.storage.terminals import merchants
from shared.storage.terminals.merchants import Credential

REQUESTS = 60


async def test_a_burst_of_requests_reads_its_credentials_on_one_connection(
    api: ApiAlone, pos: Caller, other: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections of the pool are left for payments, however many requests find the cache empty."""
    read = merchants.credentials
    open_reads = most_open = reads = 0

    async def counted(database: Database, names: Sequence[str]) -> dict[str, Credential]:
        nonlocal open_reads, most_open, reads
        reads += 1
        open_reads += 1
        most_open = max(most_open, open_reads)
        try:
            return await read(database, names)
        finally:
            open_reads -= 1

    monkeypatch.setattr(merchants, "credentials", counted)
    unknown = await asyncio.gather(
        *(caller.get("/v1/payments/pay_1") for caller in (pos, other) for _ in range(REQUESTS))
    )

    assert {answered.status_code for answered in unknown} == {404}
    assert most_open == 1
    assert reads < REQUESTS
