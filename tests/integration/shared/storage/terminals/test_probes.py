"""A probe's terminal lock, on both databases: acquired once, released by its run only."""

from typing import Any

import pytest
from payments import ADDRESS, MERCHANT, change, holder, in_session, queued, rows, try_claim
from stored.merchants import create_merchant

from shared.runtime.ids import is_probe_id
from shared.storage.db.engine import Database
from shared.storage.payments.claims import Claimed, LockHeld
from shared.storage.payments.settling import release_lock
from shared.storage.terminals import probes, takeover
from shared.storage.terminals.heartbeats import Heartbeats
from shared.storage.terminals.locks import ObservedCapabilities
from shared.storage.terminals.probes import NewProbe, ProbeReport, ProbeResult, StartedProbe

PROBE = "prb_00000000000000000000000001"
REACHED = ProbeReport(result=ProbeResult.REACHABLE, round_trip_ms=12)


async def create(database: Database, probe_id: str = PROBE, **changes: Any) -> str:
    assert is_probe_id(probe_id)
    values: dict[str, Any] = {
        "id": probe_id,
        "merchant_id": MERCHANT,
        "terminal_id": "terminal-1",
        "terminal_address": ADDRESS,
        "protocol": "ConcertV3.1",
        "profile": "{}",
        "pos_number": "01",
        "deadline_seconds": 10.0,
    }
    await probes.create(database, NewProbe(**{**values, **changes}))
    return probe_id


async def take_probe(
    database: Database, token: str = "token-1", worker: str = "worker-1"
) -> StartedProbe | None:
    return await probes.start(database, PROBE, worker=worker, token=token, lease_seconds=20)


async def test_a_probe_holds_the_terminal_lock_until_it_ends(database: Database) -> None:
    """A payment finds the lock held meanwhile; the answer is stored as an observed capability."""
    await create(database)
    await change(database, "UPDATE terminal_locks SET identify_first = true")
    taken = await take_probe(database)
    assert taken is not None
    payment_id = await queued(database)

    assert isinstance(await try_claim(database, payment_id), LockHeld)
    assert await holder(database) == PROBE
    assert await probes.result(database, PROBE) is None

    assert await probes.finish(database, taken, REACHED)
    assert await probes.result(database, PROBE) == REACHED
    (lock,) = await rows(database, "SELECT identifies, identify_first, answered_at FROM terminal_locks")
    assert (bool(lock.identifies), bool(lock.identify_first)) == (True, False)
    assert lock.answered_at is not None
    assert isinstance(await try_claim(database, payment_id), Claimed)


async def test_a_second_delivery_of_a_probe_does_nothing(database: Database) -> None:
    """Neither while it runs nor after its end, by whatever run."""
    await create(database)
    taken = await take_probe(database)
    assert taken is not None

    assert await take_probe(database, "token-2", "worker-2") is None
    assert await probes.result(database, PROBE) is None
    await probes.finish(database, taken, REACHED)
    assert await take_probe(database, "token-2", "worker-2") is None
    assert await probes.finish(database, taken, ProbeReport(result=ProbeResult.UNREACHABLE)) is False

    assert await probes.result(database, PROBE) == REACHED
    assert await holder(database) is None


async def test_a_run_finds_its_own_lock_grant_after_a_lost_commit(database: Database) -> None:
    """The same token again is the same grant: no lock is left behind."""
    await create(database)
    first = await take_probe(database)

    assert first is not None
    assert await take_probe(database) == first


async def test_a_held_lock_is_the_probes_result(database: Database) -> None:
    """For the merchant's own payment with its id, for another merchant's only with its start."""
    claimed = await in_session(database)
    await create(database)

    assert await take_probe(database) is None

    found = await probes.result(database, PROBE)
    assert found is not None
    assert (found.result, found.held_by) == (ProbeResult.HELD, claimed.payment.id)
    await create_merchant(database, "m", "Another", [])
    await change(database, "UPDATE payments SET merchant_id = 'm'")
    others = await probes.result(database, PROBE)
    assert others is not None
    assert (others.held_by, others.held_since) == (None, found.held_since)


async def test_a_probe_past_its_deadline_is_not_run(database: Database) -> None:
    """No client waits for it any more: the lock is left as it is."""
    await create(database, deadline_seconds=0)

    assert await take_probe(database) is None
    assert await holder(database) is None


async def test_a_given_up_probe_is_not_run(database: Database) -> None:
    """And its result does not change later."""
    await create(database)
    await probes.give_up(database, PROBE)

    assert await take_probe(database) is None
    found = await probes.result(database, PROBE)
    assert found is not None
    assert found.result is ProbeResult.NO_WORKER


@pytest.mark.parametrize("result", [ProbeResult.BUSY, ProbeResult.NOT_CONCERT, ProbeResult.UNREACHABLE])
async def test_only_an_answered_identification_changes_the_capabilities(
    database: Database, result: ProbeResult
) -> None:
    """A missing or a busy answer changes no capability and no mark."""
    await create(database)
    await change(database, "UPDATE terminal_locks SET identify_first = true")
    taken = await take_probe(database)
    assert taken is not None

    await probes.finish(database, taken, ProbeReport(result=result))

    (lock,) = await rows(database, "SELECT identifies, identify_first FROM terminal_locks")
    assert (lock.identifies, bool(lock.identify_first)) == (None, True)


async def test_a_probe_that_is_taken_over_is_only_released(database: Database, store: Any) -> None:
    """The late result of the dead worker's run is stored, and releases no lock."""
    await create(database)
    taken = await take_probe(database)
    assert taken is not None
    heartbeats = await Heartbeats.open(store.url)
    try:
        (lock,) = await takeover.held_locks(database)
        over = await takeover.take_over(
            database,
            heartbeats,
            lock,
            seen_counter=None,
            worker="worker-2",
            token="t",
            lease_seconds=1,
        )
    finally:
        await heartbeats.close()
    assert over is not None
    assert over.claimed is None

    assert await probes.finish(database, taken, REACHED) is False
    assert await holder(database) == PROBE
    await change(database, "UPDATE terminal_locks SET identify_first = true")
    assert await release_lock(database, over.grant, ObservedCapabilities())
    (line_row,) = await rows(database, "SELECT identify_first FROM terminal_locks")
    assert line_row.identify_first, "a mark stays until an identification is answered"
    assert await holder(database) is None


async def test_old_results_are_deleted(database: Database) -> None:
    """A day later the merchant's next probe deletes them."""
    await create(database)
    await change(database, "UPDATE probes SET created_at = created_at - 86400001")
    await create(database, "prb_00000000000000000000000002")

    assert [row.id for row in await rows(database, "SELECT id FROM probes")] == [
        "prb_00000000000000000000000002"
    ]
