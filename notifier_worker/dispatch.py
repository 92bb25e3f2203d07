"""Deliveries of one kind, from the wake-up message to the attempt; `results` stores what it brought.

Leases go to the database in batches that form by themselves: what arrives during one statement goes with the
next. A message is only a wake-up; one that finds no slot for its target is acknowledged at once, and the
database is read when a slot is free.
"""

import asyncio
import random
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from notifier_worker.attempt import Attempts
from notifier_worker.concurrency import ConcurrencyLimiter
from notifier_worker.metrics import NotifierMetrics
from notifier_worker.results import BATCH, UNAVAILABLE_SECONDS, Incoming, ResultRecorder, log_result
from notifier_worker.spans import of_message
from notifier_worker.webhook_request import RequestBuilder, WebhookRequest
from shared.broker.interfaces import IncomingMessage
from shared.broker.messages import NotificationMessage
from shared.runtime.logging import bound
from shared.runtime.resilience import Failpoint, failures_logged, log_failure
from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable
from shared.storage.investigation.origins import UNKNOWN, Origin, origins_of_deliveries
from shared.storage.webhooks import deliveries
from shared.storage.webhooks.deliveries import AttemptResult, Breaker, Leased

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Pending:
    """A delivery that has a slot and is to be leased."""

    delivery_id: str
    target: str
    incoming: Incoming


class Dispatcher:
    """The deliveries of one kind; `lease_loop` and `record_loop` run beside it until the process ends."""

    def __init__(
        self,
        *,
        kind: str,
        database: Database,
        builder: RequestBuilder,
        attempts: Attempts,
        limiter: ConcurrencyLimiter,
        breaker: Breaker,
        notifier_metrics: NotifierMetrics,
        failpoint: Failpoint,
        rng: random.Random,
        lease_seconds: float,
        spare_seconds: float,
    ) -> None:
        """`spare_seconds`: the part of a lease beyond one attempt and the storing of its result."""
        self._kind: Final = kind
        self._database: Final = database
        self._builder: Final = builder
        self._attempts: Final = attempts
        self._limiter: Final = limiter
        self._notifier_metrics: Final = notifier_metrics
        self._failpoint: Final = failpoint
        self._rng: Final = rng
        self._lease_seconds: Final = lease_seconds
        self._spare_seconds: Final = spare_seconds
        self._pending: Final[list[_Pending]] = []
        self._to_lease: Final = asyncio.Event()
        self._is_idle: Final = asyncio.Event()
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._is_draining = False
        self._is_idle.set()
        self._recorder: Final = ResultRecorder(
            kind=kind,
            database=database,
            limiter=limiter,
            breaker=breaker,
            notifier_metrics=notifier_metrics,
            failpoint=failpoint,
            rng=rng,
            on_stored=self._end,
            on_next=self._enqueue,
        )
        self.record_loop: Final = self._recorder.record_loop

    def take(self, incoming: IncomingMessage[NotificationMessage]) -> None:
        """Accept a wake-up message; return at once."""
        message = incoming.message
        if self._is_draining:
            self._run(incoming.requeue())
        elif not self._enqueue(message.delivery_id, message.target, incoming):
            self._run(incoming.ack())
        elif message.more:
            self._limiter.note_backlog(message.target)

    def _enqueue(self, delivery_id: str, target: str, incoming: Incoming = None) -> bool:
        """Take a slot and queue the delivery for its lease; return whether there was a slot."""
        if self._is_draining or not self._limiter.acquire(target):
            return False
        self._pending.append(_Pending(delivery_id, target, incoming))
        self._to_lease.set()
        self._count()
        return True

    async def lease_loop(self) -> None:
        """Lease deliveries that have a slot, and the backlog of targets with free slots, until cancelled."""
        while True:
            await self._to_lease.wait()
            self._to_lease.clear()
            try:
                await self._lease_pending()
                await self._lease_backlog()
            except Exception as error:
                log_failure("deliveries not leased", error, kind=self._kind)
                await self._pause()
                self._to_lease.set()

    async def _lease_pending(self) -> None:
        while self._pending:
            batch = self._pending[:BATCH]
            leased = await self._lease(batch)
            del self._pending[: len(batch)]
            by_id: dict[str, _Pending] = {}
            for one in batch:
                # A message may come twice, and a delivery that waited for an earlier one has a message, too.
                if by_id.setdefault(one.delivery_id, one) is not one:
                    self._end(one.target, one.incoming)
            await self._begin(leased, by_id)

    async def _lease(self, batch: Sequence[_Pending]) -> list[Leased]:
        """Lease a batch; a delivery that cannot be leased alone is left out. Raises DatabaseUnavailable,
        CommitUnknown.

        The message of one that is left out is acknowledged: it would fail at every worker.
        """
        try:
            return list(
                await deliveries.lease(
                    self._database, [one.delivery_id for one in batch], self._lease_seconds
                )
            )
        except (DatabaseUnavailable, CommitUnknown):
            raise
        except Exception:
            if len(batch) == 1:
                _log.exception("delivery not leased", delivery_id=batch[0].delivery_id)
                return []
            return [leased for one in batch for leased in await self._lease([one])]

    async def _lease_backlog(self) -> None:
        acquired = [] if self._is_draining else self._limiter.acquire_for_backlog()
        for at, (target, slots) in enumerate(acquired):
            try:
                leased = await deliveries.lease_of_target(self._database, target, slots, self._lease_seconds)
            except Exception:
                for unread_target, its_slots in acquired[at:]:
                    self._limiter.note_backlog(unread_target)
                    self._release(unread_target, its_slots)
                raise
            if len(leased) == slots:
                self._limiter.note_backlog(target)
            self._release(target, slots - len(leased))
            await self._begin(leased, {one.id: _Pending(one.id, target, None) for one in leased})

    async def _begin(self, leased: Sequence[Leased], pending: dict[str, _Pending]) -> None:
        """Start a task for each leased delivery; end the others, which are leased elsewhere or not due.

        Never raises: a delivery that cannot be started releases its slot and is leased again when its lease
        has ended.
        """
        built: dict[str, WebhookRequest] | None = None
        known: Mapping[str, Origin] = {}
        if leased:
            with failures_logged("leased deliveries not started", kind=self._kind):
                await self._failpoint("claimed")
                built = await self._build(leased)
            with failures_logged("origins of deliveries not read", kind=self._kind):
                unknown = [one.id for one in leased if pending[one.id].incoming is None]
                known = await origins_of_deliveries(self._database, unknown)
        if built is not None:
            for one in leased:
                with failures_logged("leased delivery not started", delivery_id=one.id):
                    self._begin_one(one, built.get(one.id), pending, known.get(one.id, UNKNOWN))
        for rest in pending.values():
            self._end(rest.target, rest.incoming)

    def _begin_one(
        self, leased: Leased, request: WebhookRequest | None, pending: dict[str, _Pending], origin: Origin
    ) -> None:
        asked = pending[leased.id]
        if asked.target != leased.target:
            return  # the message's target is not the row's: leased again after its lease's end
        if request is None:
            self._recorder.add(self._attempts.not_built(leased), asked.incoming)
        else:
            self._limiter.set_failures(leased.target, request.failures)
            self._run(self._send(leased, request, asked.incoming, origin))
        del pending[leased.id]

    async def _build(self, leased: Sequence[Leased]) -> dict[str, WebhookRequest] | None:
        """Return the requests; None where the database is unavailable for the spare part of the leases."""
        loop = asyncio.get_running_loop()
        too_late = loop.time() + self._spare_seconds
        while True:
            try:
                return await self._builder.build(leased)
            except DatabaseUnavailable as error:
                log_failure("contents of deliveries not read", error, kind=self._kind)
            except Exception as error:
                log_failure("requests not built together", error, kind=self._kind)
                return await self._build_each(leased)
            if loop.time() >= too_late:
                return None
            await self._pause()

    async def _build_each(self, leased: Sequence[Leased]) -> dict[str, WebhookRequest]:
        """Build the requests one by one, so that one that cannot be read affects no other."""
        built: dict[str, WebhookRequest] = {}
        for one in leased:
            with failures_logged("request not built", delivery_id=one.id):
                built |= await self._builder.build([one])
        return built

    async def _send(
        self, leased: Leased, request: WebhookRequest, incoming: Incoming, origin: Origin
    ) -> None:
        """Send it once; `origin` is of a delivery without a message, which names its own."""
        result: AttemptResult | None = None
        with (
            bound(delivery_id=leased.id, payment_id=leased.payment_id),
            of_message(leased.id, incoming, origin),
            failures_logged("delivery left to its lease's end"),
        ):
            result = await self._attempts.send(leased, request)
            log_result(result)
        with failures_logged("failpoint after an attempt failed", delivery_id=leased.id):
            await self._failpoint("sent")
        if result is None:
            self._end(leased.target, incoming)
        else:
            self._recorder.add(result, incoming)

    def _end(self, target: str, incoming: Incoming) -> None:
        """Release the delivery's slot and acknowledge its message."""
        self._release(target, 1)
        if incoming is not None:
            self._run(incoming.ack())

    def _release(self, target: str, slots: int) -> None:
        for _ in range(slots):
            self._limiter.release(target)
        self._to_lease.set()
        self._count()

    def _count(self) -> None:
        self._notifier_metrics.under_way(self._kind, self._limiter.in_use)
        if self._limiter.in_use == 0:
            self._is_idle.set()
        else:
            self._is_idle.clear()

    async def _pause(self) -> None:
        await asyncio.sleep(self._rng.uniform(0.5, 1) * UNAVAILABLE_SECONDS)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Start nothing more; wait until the running deliveries are stored, for at most `seconds`.

        The rest is leased again after its lease's end.
        """
        self._is_draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._is_idle.wait()
        except TimeoutError:
            _log.info("deliveries left to their lease's end", kind=self._kind, count=self._limiter.in_use)
