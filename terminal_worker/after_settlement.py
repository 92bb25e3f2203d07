"""The steps of a run between its payment's result and the release of the terminal lock.

The payment has its result and the client its response; the terminal lock is still held for these steps.
"""

import json
import random
from functools import partial
from typing import Final

from shared.concert.profile import Profile
from shared.metrics.contradictions import note_contradiction
from shared.metrics.metrics import Metrics
from shared.payment.payment import Payment
from shared.payment.states import Event
from shared.runtime.clock import Clock
from shared.runtime.resilience import failures_logged, until_done
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import settling
from shared.storage.payments.claims import Claimed
from shared.storage.terminals.locks import ObservedCapabilities
from terminal_worker.session.connection import ConnectFailed
from terminal_worker.session.enquiry import CHECK_TO_WRITE_SECONDS, IdentificationResult, Identifier
from terminal_worker.session.late_answers import LateAnswerListener
from terminal_worker.session.session import SessionResult


class AfterSettlement:
    """Reads a late amount and identifies the terminal once, then releases the lock."""

    def __init__(
        self,
        database: Database,
        identifier: Identifier,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        worker: str,
        rng: random.Random,
    ) -> None:
        self._database: Final = database
        self._identifier: Final = identifier
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._worker: Final = worker
        self._rng: Final = rng

    def needs_lock(self, claimed: Claimed, session_result: SessionResult) -> bool:
        """Return whether any step follows; without one the lock is released with the result."""
        return session_result.listener is not None or _identifies(claimed, session_result)

    async def run(self, claimed: Claimed, session_result: SessionResult) -> None:
        """Do the steps that this session calls for; the lock is released afterwards."""
        if session_result.listener is not None:
            await self._read_late_amount(claimed, session_result.listener)
        if _identifies(claimed, session_result):
            await self._identify_once(claimed)
        elif session_result.listener is not None:
            await until_done(
                lambda: settling.release_lock(self._database, claimed.grant, ObservedCapabilities()),
                "terminal lock not released",
                rng=self._rng,
            )

    async def _read_late_amount(self, claimed: Claimed, listener: LateAnswerListener) -> None:
        """Listen for one long idle after a 'done' without an amount: it may come late and be another one."""
        ends_at = self._clock.boot() + self._settings.idle_end_seconds
        stored: Payment | None = None
        with failures_logged("late amount not read"):
            while (late := await listener.next_evidence(ends_at, self._settings)) is not None:
                store = partial(
                    settling.add_evidence,
                    self._database,
                    claimed.payment.id,
                    late.evidence,
                    late.result,
                    brought_by=self._worker,
                )
                stored = await until_done(store, "evidence not stored", rng=self._rng)
        if stored is not None and stored.contradicted:
            note_contradiction(self._metrics, stored)
        with failures_logged("connection not closed"):
            await listener.connection.close()

    async def _identify_once(self, claimed: Claimed) -> None:
        payment, terminal_address = claimed.payment, claimed.grant.address

        async def write_until() -> float:
            # This run may have slept since, and a new owner releases the lock of a final payment soon.
            checked_at = self._clock.boot()
            holds_lock = await settling.holds_lock(self._database, claimed.grant)
            return checked_at + CHECK_TO_WRITE_SECONDS if holds_lock else checked_at

        found = IdentificationResult.NOT_ASKED
        with failures_logged("identification after the payment failed", terminal_address=terminal_address):
            profile = Profile.from_dict(json.loads(claimed.profile))
            try:
                # Before connecting, too: a terminal may take one connection at a time, the next owner's.
                if await settling.holds_lock(self._database, claimed.grant):
                    found = await self._identifier.ask(
                        terminal_address, payment.protocol, claimed.pos_number, profile, write_until
                    )
            except ConnectFailed:
                # A terminal that takes one connection at a time may still be closing ours.
                found = IdentificationResult.BUSY
        is_yes = found is IdentificationResult.YES
        observed = ObservedCapabilities(
            identifies=is_yes if is_yes or found is IdentificationResult.SILENT else None
        )
        await until_done(
            lambda: settling.end_identification(self._database, claimed.grant, observed, found=found),
            "terminal lock not released",
            rng=self._rng,
        )


def _identifies(claimed: Claimed, session_result: SessionResult) -> bool:
    """Return whether the terminal is asked for its first identification.

    It is asked right after a success (AE 10): silence then excuses it for good. After any other answer it
    may be silent for a reason of that moment.
    """
    known = claimed.grant.identifies is not None or session_result.observed.identifies is not None
    return not known and session_result.settlement.event is Event.ANSWERED_DONE
