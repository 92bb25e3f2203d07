"""Deliveries of one kind, from the wake-up to the acknowledgement.

Leases and results go to the database in batches that form by themselves: what comes while one is under way
goes with the next. A message is only a wake-up; one that finds no place for its target is acknowledged at
once, and the database is asked when a place is free.
"""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from notifier_worker.attempt import Attempts
from notifier_worker.concurrency import ConcurrencyLimiter
from notifier_worker.metrics import NotifierMetrics
from notifier_worker.webhook_request import RequestBuilder, WebhookRequest
from shared.broker.interfaces import Incoming
from shared.broker.messages import NotificationMessage
from shared.runtime.failpoints import Failpoint
from shared.runtime.resilience import failures_logged, log_failure
from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable
from shared.storage.webhooks import deliveries
from shared.storage.webhooks.deliveries import AttemptResult, Breaker, Delivered, GiveUp, Leased, Retry

#: Deliveries in one statement.
BATCH: Final = 200
#: Between tries to store results, or to lease, while the database is away.
UNAVAILABLE_SECONDS: Final = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A delivery that has a place and is to be leased."""

    delivery_id: str
    target: str
    incoming: Incoming[NotificationMessage] | None


@dataclass(frozen=True, slots=True)
class _Done:
    attempt_result: AttemptResult
    incoming: Incoming[NotificationMessage] | None


class Dispatcher:
    """Runs deliveries; `lease_loop` and `record_loop` run beside it until the process ends."""

    def __init__(
        self,
        *,
        kind: str,
        database: Database,
        builders: RequestBuilder,
        attempts: Attempts,
        limiter: ConcurrencyLimiter,
        breaker: Breaker,
        notifier_metrics: NotifierMetrics,
        failpoint: Failpoint,
        rng: random.Random,
        lease_seconds: float,
        spare_seconds: float,
    ) -> None:
        """`spare_seconds`: what a lease has beyond a try and the storing of its result."""
        self._kind: Final = kind
        self._database: Final = database
        self._builders: Final = builders
        self._attempts: Final = attempts
        self._limiter: Final = limiter
        self._breaker: Final = breaker
        self._notifier_metrics: Final = notifier_metrics
        self._failpoint: Final = failpoint
        self._rng: Final = rng
        self._lease_seconds: Final = lease_seconds
        self._spare_seconds: Final = spare_seconds
        self._wanted: Final[list[_Wanted]] = []
        self._done: Final[list[_Done]] = []
        self._to_lease: Final = asyncio.Event()
        self._to_record: Final = asyncio.Event()
        self._is_idle: Final = asyncio.Event()
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._takes = True
        self._is_idle.set()

    def take(self, incoming: Incoming[NotificationMessage]) -> None:
        """A wake-up came; returns at once."""
        message = incoming.message
        if not self._takes:
            self._run(incoming.requeue())
        elif not self._want(message.delivery_id, message.target, incoming):
            self._run(incoming.ack())

    def _want(self, delivery_id: str, target: str, incoming: Incoming[NotificationMessage] | None) -> bool:
        if not self._takes or not self._limiter.take(target):
            return False
        self._wanted.append(_Wanted(delivery_id, target, incoming))
        self._to_lease.set()
        self._count()
        return True

    async def lease_loop(self) -> None:
        """Lease what has a place, and what waits in the database for places that became free."""
        while True:
            await self._to_lease.wait()
            self._to_lease.clear()
            try:
                await self._lease_wanted()
                await self._lease_backlog()
            except Exception as error:
                log_failure("deliveries not leased", error, kind=self._kind)
                await asyncio.sleep(self._rng.uniform(0.5, 1) * UNAVAILABLE_SECONDS)
                self._to_lease.set()

    async def _lease_wanted(self) -> None:
        while self._wanted:
            batch = self._wanted[:BATCH]
            leased = await self._lease(batch)
            del self._wanted[: len(batch)]
            wanted: dict[str, _Wanted] = {}
            for one in batch:
                # A message may come twice, and what an earlier delivery kept waiting has one, too.
                if wanted.setdefault(one.delivery_id, one) is not one:
                    self._leave(one)
            await self._begin(leased, wanted)

    async def _lease(self, batch: Sequence[_Wanted]) -> list[Leased]:
        """Lease a batch; one that the database will not have takes no other with it. Raises as `lease` does.

        A message about it would come again to every worker: it goes with the others that are not leased.
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
                _log.exception("delivery could not be leased", delivery_id=batch[0].delivery_id)
                return []
            return [leased for one in batch for leased in await self._lease([one])]

    async def _lease_backlog(self) -> None:
        taken = self._limiter.take_backlog() if self._takes else []
        for at, (target, places) in enumerate(taken):
            try:
                leased = await deliveries.lease_of_target(self._database, target, places, self._lease_seconds)
            except Exception:
                for not_asked, places_of_it in taken[at:]:
                    self._limiter.more(not_asked)
                    self._give_back(not_asked, places_of_it)
                raise
            if len(leased) == places:
                self._limiter.more(target)
            self._give_back(target, places - len(leased))
            await self._begin(leased, {one.id: _Wanted(one.id, target, None) for one in leased})

    async def _begin(self, leased: Sequence[Leased], wanted: dict[str, _Wanted]) -> None:
        """Start a task for each leased delivery; the others are somebody's already, or not due.

        Never raises: what cannot be begun gives its place back and is left to its lease's end.
        """
        written: dict[str, WebhookRequest] | None = None
        if leased:
            with failures_logged("leased deliveries not begun", kind=self._kind):
                await self._failpoint("claimed")
                written = await self._write(leased)
        if written is not None:
            for one in leased:
                with failures_logged("leased delivery not begun", delivery_id=one.id):
                    self._begin_one(one, written.get(one.id), wanted)
        for rest in wanted.values():
            self._leave(rest)

    def _begin_one(self, leased: Leased, request: WebhookRequest | None, wanted: dict[str, _Wanted]) -> None:
        asked = wanted[leased.id]
        if asked.target != leased.target:
            return  # the message names another target than the row does: left to its lease's end
        if request is None:
            self._finished(_Done(self._attempts.not_written(leased), asked.incoming))
        else:
            self._limiter.learn_failures(leased.target, request.failures)
            self._run(self._send(leased, request, asked.incoming))
        del wanted[leased.id]

    def _leave(self, wanted: _Wanted) -> None:
        self._give_back(wanted.target, 1)
        if wanted.incoming is not None:
            self._run(wanted.incoming.ack())

    async def _write(self, leased: Sequence[Leased]) -> dict[str, WebhookRequest] | None:
        """Return the letters; None where the database is away for so long that the leases end meanwhile."""
        loop = asyncio.get_running_loop()
        too_late = loop.time() + self._spare_seconds
        while True:
            try:
                return await self._builders.write(leased)
            except DatabaseUnavailable as error:
                _log.warning("leased deliveries could not be read", kind=self._kind, error=str(error))
            except Exception as error:
                log_failure("leased deliveries not written together", error, kind=self._kind)
                return await self._write_each(leased)
            if loop.time() >= too_late:
                return None
            await asyncio.sleep(self._rng.uniform(0.5, 1) * UNAVAILABLE_SECONDS)

    async def _write_each(self, leased: Sequence[Leased]) -> dict[str, WebhookRequest]:
        """One that cannot be read takes no other with it."""
        builders: dict[str, WebhookRequest] = {}
        for one in leased:
            with failures_logged("leased delivery not written", delivery_id=one.id):
                builders |= await self._builders.write([one])
        return builders

    async def _send(
        self, leased: Leased, request: WebhookRequest, incoming: Incoming[NotificationMessage] | None
    ) -> None:
        attempt_result: AttemptResult | None = None
        with failures_logged("delivery left to its lease's end", delivery_id=leased.id):
            attempt_result = await self._attempts.send(leased, request)
        with failures_logged("step after a try failed", delivery_id=leased.id):
            await self._failpoint("sent")
        if attempt_result is None:
            self._leave(_Wanted(leased.id, leased.target, incoming))
        else:
            self._finished(_Done(attempt_result, incoming))

    def _finished(self, done: _Done) -> None:
        self._done.append(done)
        self._to_record.set()

    async def record_loop(self) -> None:
        """Store what came of the tries, as long as it takes; then acknowledge."""
        while True:
            await self._to_record.wait()
            self._to_record.clear()
            while self._done:
                batch = self._done[:BATCH]
                await self._record([one.attempt_result for one in batch])
                del self._done[: len(batch)]
                with failures_logged("step after results were stored failed", kind=self._kind):
                    await self._failpoint("stored")
                for one in batch:
                    with failures_logged("try not measured", delivery_id=one.attempt_result.leased.id):
                        self._measure(one.attempt_result)
                    with failures_logged("place not given back", delivery_id=one.attempt_result.leased.id):
                        self._leave(
                            _Wanted(
                                one.attempt_result.leased.id, one.attempt_result.leased.target, one.incoming
                            )
                        )
                await self._wake_next([one.attempt_result.leased for one in batch])

    async def _record(self, attempt_result: Sequence[AttemptResult]) -> None:
        """Store results, as long as it takes; one that cannot be stored at all is left to its lease's end."""
        while True:
            try:
                await deliveries.record(self._database, attempt_result, breaker=self._breaker)
                return
            except (DatabaseUnavailable, CommitUnknown) as error:
                log_failure("results of deliveries not stored", error, kind=self._kind)
                await asyncio.sleep(self._rng.uniform(0.5, 1) * UNAVAILABLE_SECONDS)
            except Exception as error:
                log_failure(
                    "results of deliveries not stored", error, kind=self._kind, count=len(attempt_result)
                )
                break
        # One that the database cannot take at all keeps no other waiting; its lease ends by itself.
        for one in attempt_result if len(attempt_result) > 1 else ():
            await self._record([one])

    async def _wake_next(self, leased: Sequence[Leased]) -> None:
        """What waited for the first try of an earlier delivery of its payment may go now."""
        payments = sorted(
            {one.payment_id for one in leased if one.is_first_try and one.payment_id is not None}
        )
        if not payments:
            return
        with failures_logged("next deliveries left to the sweep", kind=self._kind):
            for delivery_id, target in await deliveries.next_of_payments(
                self._database, payments, self._kind
            ):
                self._want(delivery_id, target, None)

    def _measure(self, attempt_result: AttemptResult) -> None:
        target, attempt = attempt_result.leased.target, attempt_result.attempt
        self._notifier_metrics.attempt_result(self._kind, attempt.duration_ms / 1000)
        match attempt_result.decision:
            case Delivered():
                self._notifier_metrics.sent(self._kind)
                self._limiter.works(target)
                return
            case Retry(is_targets=True):
                self._limiter.failed(target)
            case GiveUp(reason):
                self._notifier_metrics.dead(self._kind, reason)
        self._notifier_metrics.failed(self._kind, str(attempt.status or attempt.error))
        _log.info(
            "delivery not received",
            delivery_id=attempt_result.leased.id,
            target=target,
            status=attempt.status,
            error=attempt.error,
            tries=attempt_result.leased.tries + 1,
        )

    def _give_back(self, target: str, places: int) -> None:
        for _ in range(places):
            self._limiter.give_back(target)
        self._to_lease.set()
        self._count()

    def _count(self) -> None:
        self._notifier_metrics.under_way(self._kind, self._limiter.in_use)
        if self._limiter.in_use == 0:
            self._is_idle.set()
        else:
            self._is_idle.clear()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Begin nothing more; finish and store what is under way. The rest is free at its lease's end."""
        self._takes = False
        try:
            async with asyncio.timeout(seconds):
                await self._is_idle.wait()
        except TimeoutError:
            _log.info("deliveries left to their lease's end", kind=self._kind, number=self._limiter.in_use)
