"""A terminal lock or payment that cannot be handled delays no other."""

from typing import Any

import pytest
from eventually import eventually
from limits import STEADY_DOUBT
from payments import in_session, queued, with_merchant
from system import System

from shared.payment.payment import Payment
from shared.storage.payments import claims, settling
from shared.storage.terminals import takeover
from shared.storage.terminals.locks import LockGrant

BAD, GOOD = "127.0.1.1", "127.0.1.2"


async def _left_behind(system: System) -> dict[str, Any]:
    """Payments in session of a worker that never lived, by host."""
    return {
        host: await in_session(
            system.database, order_id=f"order of {host}", host=host, terminal_address=f"{host}:8888"
        )
        for host in (BAD, GOOD)
    }


async def test_one_payment_that_cannot_be_expired_keeps_no_other_queued(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep goes on with the next one."""
    await with_merchant(system.database)
    bad, good = [
        await queued(
            system.database,
            order_id=f"order of {host}",
            host=host,
            terminal_address=f"{host}:8888",
            deadline_seconds=0,
        )
        for host in (BAD, GOOD)
    ]
    original = claims.expire

    async def expire(database: Any, payment_id: str) -> Payment | None:
        if payment_id == bad:
            raise RuntimeError
        return await original(database, payment_id)

    monkeypatch.setattr(claims, "expire", expire)
    await system.worker()

    await eventually(lambda: _has_state(system, good, "expired"))
    assert await _has_state(system, bad, "queued")


async def test_one_lock_that_cannot_be_taken_over_keeps_no_other_held(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead worker's other payments are put in doubt in time."""
    await with_merchant(system.database)
    left = await _left_behind(system)
    original = takeover.take_over

    async def take_over(database: Any, heartbeats: Any, lock: Any, **named: Any) -> Any:
        if lock.address.startswith(BAD):
            raise RuntimeError
        return await original(database, heartbeats, lock, **named)

    monkeypatch.setattr(takeover, "take_over", take_over)
    await system.worker()

    await eventually(lambda: _has_state(system, left[GOOD].payment.id, "in_doubt"))
    assert await _has_state(system, left[BAD].payment.id, "in_session")


@pytest.mark.parametrize("limits", [STEADY_DOUBT])
async def test_one_lease_that_cannot_be_ended_keeps_no_other(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other lease's lock is released when its time is over."""
    original = settling.release

    async def release(database: Any, grant: LockGrant, *given: Any, **named: Any) -> bool:
        if grant.address.startswith(BAD):
            raise RuntimeError
        return await original(database, grant, *given, **named)

    monkeypatch.setattr(settling, "release", release)
    await with_merchant(system.database)
    await _left_behind(system)
    await system.worker()

    await eventually(lambda: system.is_free(GOOD))
    assert not await system.is_free(BAD)


async def _has_state(system: System, payment_id: str, state: str) -> bool:
    return str((await system.stored(payment_id)).state) == state
