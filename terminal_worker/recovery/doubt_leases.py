"""The leases of this worker without a session: terminal locks of payments in doubt, or after a takeover.

The owner alone ends a lease, by its own boot-time clock: no step of a database's clock may release a terminal
that could still be charging a card. A lease ends at a heartbeat, after the payment's task has ended and every
connection of it is closed.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from shared.broker.reply_publisher import ReplyPublisher
from shared.payment.states import FINAL_STATES, State
from shared.runtime.clock import Clock
from shared.runtime.resilience import failures_logged, one_of_many
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import settling, snapshots
from shared.storage.terminals import early_release
from shared.storage.terminals.locks import ObservedCapabilities
from terminal_worker.recovery.doubt_resolver import DoubtResolver
from terminal_worker.recovery.lease import Lease

_log = structlog.get_logger()


class DoubtLeases:
    """Owns every lease of this worker that no session owns."""

    def __init__(
        self,
        *,
        database: Database,
        resolver: DoubtResolver,
        reply_publisher: ReplyPublisher,
        clock: Clock,
        settings: Settings,
        worker: str,
    ) -> None:
        self._database: Final = database
        self._resolver: Final = resolver
        self._reply_publisher: Final = reply_publisher
        self._clock: Final = clock
        self._settings: Final = settings
        self._worker: Final = worker
        self._leases: Final[dict[str, Lease]] = {}

    def add(self, lease: Lease) -> None:
        """Own this lease from now on, and begin to resolve its payment."""
        self._leases[lease.grant.token] = lease
        if lease.claimed is not None:
            lease.task = asyncio.create_task(
                self._resolver.resolve(lease, lease.claimed), name=f"doubt {lease.grant.payment_id}"
            )

    def __len__(self) -> int:
        return len(self._leases)

    async def run(self) -> None:
        """End the leases that are due at each heartbeat, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            with failures_logged("leases not ended", leases=len(self._leases)):
                await self.end_due()

    def tokens(self) -> frozenset[str]:
        """Return the tokens of the leased locks."""
        return frozenset(self._leases)

    async def close(self, storing_seconds: float) -> None:
        """Stop enquiring and listening; the locks stay held for the worker that takes them over.

        Evidence that the database does not accept is retried for `storing_seconds` at most.
        """
        for lease in list(self._leases.values()):
            await self._stop(lease)
        await self._resolver.close(storing_seconds)

    async def end_due(self) -> None:
        """Release every lock that need not be leased on; a failure is retried at the next heartbeat.

        Raises DatabaseUnavailable. A lease whose time is over ends even where the other reasons for an end
        cannot be read.
        """
        if not self._leases:
            return
        ids = [lease.grant.payment_id for lease in self._leases.values() if lease.claimed is not None]
        states: Mapping[str, State] = {}
        asked: Mapping[tuple[str, int], str] = {}
        with one_of_many("states of payments in doubt not read"):
            states = await snapshots.states(self._database, ids)
        with one_of_many("early release requests not read"):
            asked = {
                (request.address, request.epoch): request.by
                for request in await early_release.requests(self._database, self._worker)
            }
        for lease in list(self._leases.values()):
            asked_by = asked.get((lease.grant.address, lease.grant.epoch))
            with one_of_many(
                "lease not ended", terminal_address=lease.grant.address, payment_id=lease.grant.payment_id
            ):
                await self._end_one(lease, states.get(lease.grant.payment_id), asked_by)

    async def _end_one(self, lease: Lease, state: State | None, asked_by: str | None) -> None:
        why = self._why_free(lease, state, asked_by)
        if why is not None:
            await self._free(lease, why, early=asked_by is not None)
        elif asked_by is not None:
            await early_release.drop(self._database, lease.grant)

    def _why_free(self, lease: Lease, state: State | None, asked_by: str | None) -> str | None:
        now = self._clock.boot()
        if now >= lease.ends_at:
            return "time is over"
        if lease.claimed is None or (lease.frees_from is not None and now < lease.frees_from):
            return None
        if state in FINAL_STATES:
            return "resolved"
        if asked_by is None:
            return None
        excused = lease.grant.identifies is False and not lease.answers_questions
        early = lease.started_at + self._settings.early_release_after_seconds
        needed = lease.doubt_ends_at if excused else early
        return f"asked for by {asked_by}" if now >= needed else None

    async def _free(self, lease: Lease, why: str, *, early: bool) -> None:
        await self._stop(lease)
        terminal_address = lease.grant.address
        if lease.claimed is None:
            observed = ObservedCapabilities(identify_first=True if lease.identify_next else None)
            freed = await settling.release_lock(self._database, lease.grant, observed)
        else:
            # Ended early, or without an answered enquiry: the terminal may still show this payment's amount.
            observed = ObservedCapabilities(
                identifies=True if lease.answers_questions else None,
                identify_first=early or not lease.answered,
            )
            freed = await settling.release(self._database, lease.grant, observed, why=why)
        del self._leases[lease.grant.token]
        _log.info(
            "lease ended",
            terminal_address=terminal_address,
            payment_id=lease.grant.payment_id,
            why=why,
            freed=freed,
        )
        await self._reply_publisher.publish_next(terminal_address)

    async def _stop(self, lease: Lease) -> None:
        """End a lease's task; when this returns, every connection of its payment is closed."""
        # The drain and a heartbeat may both be here: each keeps the task that it waits for.
        task = lease.task
        if task is None:
            return
        if lease.listener is not None and lease.listener.reader.is_receiving:
            # An answer is arriving, or there but for the silence that ends it: nobody reads it later.
            await asyncio.wait((task,), timeout=self._settings.idle_end_seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        lease.task = None
