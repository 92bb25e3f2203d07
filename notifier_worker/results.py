"""Results of attempts: stored in batches, then measured and acknowledged."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from notifier_worker.concurrency import ConcurrencyLimiter
from notifier_worker.metrics import NotifierMetrics
from shared.broker.interfaces import IncomingMessage
from shared.broker.messages import NotificationMessage
from shared.runtime.resilience import Failpoint, failures_logged, log_failure
from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable
from shared.storage.webhooks import deliveries, delivery_sweep
from shared.storage.webhooks.deliveries import AttemptResult, Breaker, Delivered, GiveUp, Leased, Retry

#: Results in one statement.
BATCH: Final = 200
#: Pause before results are stored again while the database is unavailable.
UNAVAILABLE_SECONDS: Final = 1.0

Incoming = IncomingMessage[NotificationMessage] | None

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Finished:
    result: AttemptResult
    incoming: Incoming


class ResultRecorder:
    """The queue of results of one kind of deliveries; `record_loop` stores it until the process ends."""

    def __init__(
        self,
        *,
        kind: str,
        database: Database,
        limiter: ConcurrencyLimiter,
        breaker: Breaker,
        notifier_metrics: NotifierMetrics,
        failpoint: Failpoint,
        rng: random.Random,
        on_stored: Callable[[str, Incoming], None],
        on_next: Callable[[str, str], object],
    ) -> None:
        """`on_stored` gets the target and the message of each stored result, `on_next` the id and the target
        of each delivery that waited for it."""
        self._kind: Final = kind
        self._database: Final = database
        self._limiter: Final = limiter
        self._breaker: Final = breaker
        self._notifier_metrics: Final = notifier_metrics
        self._failpoint: Final = failpoint
        self._rng: Final = rng
        self._on_stored: Final = on_stored
        self._on_next: Final = on_next
        self._finished: Final[list[_Finished]] = []
        self._to_record: Final = asyncio.Event()

    def add(self, result: AttemptResult, incoming: Incoming) -> None:
        """Queue a result for storing."""
        self._finished.append(_Finished(result, incoming))
        self._to_record.set()

    async def record_loop(self) -> None:
        """Store results, retrying without end; then acknowledge their messages. Runs until cancelled."""
        while True:
            await self._to_record.wait()
            self._to_record.clear()
            while self._finished:
                batch = self._finished[:BATCH]
                await self._record([one.result for one in batch])
                del self._finished[: len(batch)]
                with failures_logged("failpoint after storing results failed", kind=self._kind):
                    await self._failpoint("stored")
                for one in batch:
                    leased = one.result.leased
                    with failures_logged("attempt not measured", delivery_id=leased.id):
                        self._measure(one.result)
                    with failures_logged("slot not released", delivery_id=leased.id):
                        self._on_stored(leased.target, one.incoming)
                await self._wake_next([one.result.leased for one in batch])

    async def _record(self, results: Sequence[AttemptResult]) -> None:
        """Store results, retrying while the database is unavailable.

        After any other error each result is stored alone, so that one that cannot be stored blocks no other;
        its delivery is leased again when its lease has ended.
        """
        while True:
            try:
                await deliveries.record(self._database, results, breaker=self._breaker)
                return
            except (DatabaseUnavailable, CommitUnknown) as error:
                log_failure("delivery results not stored", error, kind=self._kind)
                await asyncio.sleep(self._rng.uniform(0.5, 1) * UNAVAILABLE_SECONDS)
            except Exception as error:
                log_failure("delivery results not stored", error, kind=self._kind, count=len(results))
                break
        for one in results if len(results) > 1 else ():
            await self._record([one])

    async def _wake_next(self, leased: Sequence[Leased]) -> None:
        """Start the deliveries that waited for the first try of an earlier one of their payment."""
        payments = sorted(
            {one.payment_id for one in leased if one.is_first_try and one.payment_id is not None}
        )
        if not payments:
            return
        with failures_logged("next deliveries left to the sweep", kind=self._kind):
            for delivery_id, target in await delivery_sweep.next_of_payments(
                self._database, payments, self._kind
            ):
                self._on_next(delivery_id, target)

    def _measure(self, result: AttemptResult) -> None:
        target, attempt = result.leased.target, result.attempt
        seconds = attempt.duration_ms / 1000
        lag_seconds = result.leased.age_seconds + seconds
        self._notifier_metrics.attempt_ended(self._kind, seconds)
        if result.leased.is_first_try:
            self._notifier_metrics.first_attempt_ended(self._kind, lag_seconds)
        match result.decision:
            case Delivered():
                self._notifier_metrics.sent(self._kind, lag_seconds)
                self._limiter.record_success(target)
                return
            case Retry(is_targets=True):
                self._limiter.record_failure(target)
            case GiveUp(reason):
                self._notifier_metrics.gave_up(self._kind, reason)
        self._notifier_metrics.failed(self._kind, attempt.status, attempt.error)


def log_result(result: AttemptResult) -> None:
    """Log one attempt, with the ids that its task has bound."""
    attempt = result.attempt
    is_delivered = isinstance(result.decision, Delivered)
    _log.info(
        "delivery attempt succeeded" if is_delivered else "delivery attempt failed",
        target=result.leased.target,
        type=result.leased.type,
        status=attempt.status,
        **({} if is_delivered else {"error": attempt.error}),
        tries=result.leased.tries + 1,
    )
