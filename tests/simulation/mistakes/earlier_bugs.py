"""Mistakes that were in the product once, made again: random histories found them late."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

from shared.storage.db.engine import Database
from shared.storage.payments import settling
from shared.storage.payments.claims import Claimed
from shared.storage.terminals import takeover
from shared.storage.terminals.locks import LockGrant
from shared.storage.terminals.takeover import HeldLock
from terminal_worker.recovery import dead_workers
from terminal_worker.recovery.dead_workers import Recovery
from terminal_worker.recovery.doubt_leases import DoubtLeases
from terminal_worker.recovery.lease import Lease
from terminal_worker.session import enquiry, session
from terminal_worker.session.connection import Connection
from terminal_worker.session.enquiry import IdentificationResult
from terminal_worker.session.request_builder import PreparedRequest
from terminal_worker.session.session import TerminalSessions


@contextmanager
def takeover_read_back_once() -> Iterator[None]:
    """Forget a takeover whose answer was lost where reading it back fails too, and never take back a
    worker's own terminal locks."""

    async def read_back(self: Recovery, token: str) -> None:
        address, started_at = self._unknown.pop(token)
        taken = await takeover.read_back(self._database, address, token)
        if taken is not None:
            await self._adopt(taken, started_at)

    async def take_back(_: Recovery, _line: HeldLock) -> None:
        await asyncio.sleep(0)

    with patch.object(Recovery, "_read_back", read_back), patch.object(Recovery, "_take_back", take_back):
        yield


@contextmanager
def identified_without_a_look() -> Iterator[None]:
    """Write without a look whether the terminal lock is still the run's own."""

    async def holds_lock(_database: Database, _grant: LockGrant) -> bool:
        return True

    with patch.object(settling, "holds_lock", holds_lock):
        yield


@contextmanager
def identified_at_any_time() -> Iterator[None]:
    """Write the identification that begins a session however late it is."""
    original = TerminalSessions._connect_identified

    async def ever() -> float:
        return math.inf

    async def reach(
        self: TerminalSessions, claimed: Claimed, prepared: PreparedRequest, identify_until: float | None
    ) -> Connection:
        if identify_until is not None:
            terminal_address, payment = claimed.grant.address, claimed.payment
            found = await self._identifier.ask(
                terminal_address, payment.protocol, claimed.pos_number, prepared.profile, ever
            )
            if found is not IdentificationResult.YES:
                raise session._Unidentified
        return await original(self, claimed, prepared, None)

    with patch.object(TerminalSessions, "_connect_identified", reach):
        yield


def busy_taken_for_an_answer() -> AbstractContextManager[object]:
    """Count a busy terminal's answer as one that comes after our request."""
    return patch.object(enquiry, "answers_identification", lambda _frame: True)


@contextmanager
def not_marked_after_early_release() -> Iterator[None]:
    """Leave the mark out after an early release."""
    original = DoubtLeases._free

    async def free(self: DoubtLeases, lease: Lease, why: str, *, early: bool) -> None:
        del early
        await original(self, lease, why, early=False)

    with patch.object(DoubtLeases, "_free", free):
        yield


def takeover_forgets_the_mark() -> AbstractContextManager[object]:
    """Leave the mark out after the takeover of a payment whose doubt was settled."""
    return patch.object(dead_workers, "_may_show_amount", lambda _payment: False)
