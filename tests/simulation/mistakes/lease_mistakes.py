"""Mistakes around leases and around the proofs of their payments."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast
from unittest.mock import patch

from shared.payment.payment import Payment
from shared.payment.states import State
from shared.storage.db.engine import Database, Transaction
from shared.storage.payments import ending, insertion
from shared.storage.payments.claims import Claimed
from shared.storage.terminals import takeover
from shared.storage.terminals.heartbeats import Heartbeats
from shared.storage.terminals.locks import LockTokens
from shared.storage.terminals.takeover import HeldLock, TakenOver
from terminal_worker.recovery.dead_workers import Recovery
from terminal_worker.recovery.doubt_leases import DoubtLeases
from terminal_worker.recovery.lease import Lease
from terminal_worker.run import Runs
from terminal_worker.session import enquiry
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.mistakes.mistake import changed
from tests.simulation.model import interventions

_AT_ONCE = SETTINGS.model_copy(update={"takeover_free_after_seconds": 0, "early_release_after_seconds": 0})


@contextmanager
def released_after_takeover() -> Iterator[None]:
    """Release a terminal lock after a takeover as soon as nothing is left to do."""
    original = Recovery._add_lease

    def lease(self: Recovery, taken: TakenOver, started_at: float) -> None:
        vars(self)["_settings"] = _AT_ONCE
        original(self, taken, started_at)

    with patch.object(Recovery, "_add_lease", lease):
        yield


class _SeenBefore:
    """Heartbeats that return the counter that was seen before."""

    def __init__(self, counter: int | None) -> None:
        self._counter = counter

    async def counter(self, _worker: str) -> int | None:
        return self._counter


@contextmanager
def counter_not_compared() -> Iterator[None]:
    """Take over without a second look at the worker's counter."""
    original = takeover.take_over

    async def take_over(
        database: Database,
        _: Heartbeats,
        terminal_address: HeldLock,
        *,
        seen_counter: int | None,
        **named: Any,
    ) -> TakenOver | None:
        believed = cast("Heartbeats", _SeenBefore(seen_counter))
        return await original(database, believed, terminal_address, seen_counter=seen_counter, **named)

    with patch.object(takeover, "take_over", take_over):
        yield


def enquired_at_any_time() -> AbstractContextManager[object]:
    """Write an enquiry however long ago its worker looked at its terminal lock."""
    return patch.object(enquiry, "CHECK_TO_WRITE_SECONDS", math.inf)


def order_left_open() -> AbstractContextManager[object]:
    """Record conflicting evidence, and accept its order again."""
    nothing = changed(insertion._LOCKED_ATTEMPT, (" AND key_closed", " AND key_closed AND FALSE"))
    return patch.object(insertion, "_LOCKED_ATTEMPT", nothing)


def debit_left_open() -> AbstractContextManager[object]:
    """Lock a reversal's own key for review, and replay its debit's success."""
    own = changed(ending._LOCK_KEYS, (" OR id = CAST(:reversed_id AS TEXT)", ""))
    return patch.object(ending, "_LOCK_KEYS", own)


def early_proofs_forgotten() -> AbstractContextManager[object]:
    """Begin a doubt without a look at earlier proofs."""

    async def settle(_tx: Transaction, payment: Payment) -> Payment:
        return payment

    return patch.object(ending, "_settle_by_proof", settle)


@contextmanager
def released_at_once() -> Iterator[None]:
    """Release a terminal in doubt on request, however young its session is."""
    original = DoubtLeases._why_free

    def why_free(self: DoubtLeases, lease: Lease, state: State | None, asked_by: str | None) -> str | None:
        if asked_by is not None and lease.claimed is not None:
            return f"asked for by {asked_by}"
        return original(self, lease, state, asked_by)

    with patch.object(DoubtLeases, "_why_free", why_free), patch.object(interventions, "SETTINGS", _AT_ONCE):
        yield


def not_taken_back() -> AbstractContextManager[object]:
    """Leave a terminal lock of one's own that no task holds."""

    async def take_back(_: Recovery, _lock: HeldLock) -> None:
        await asyncio.sleep(0)

    return patch.object(Recovery, "_take_back", take_back)


@contextmanager
def token_kept_after_the_claim() -> Iterator[None]:
    """Keep a run's token once its claim is answered, not from before it is sent."""
    keep, hold_session = LockTokens.in_use, Runs._run_session

    async def hold_with_token(self: Runs, claimed: Claimed, started_at: float) -> None:
        with keep(self._tokens, claimed.grant.token):
            await hold_session(self, claimed, started_at)

    with (
        patch.object(LockTokens, "in_use", lambda _tokens, _token: nullcontext()),
        patch.object(Runs, "_run_session", hold_with_token),
    ):
        yield
