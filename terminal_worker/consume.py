"""The consumer of payments: each delivery runs in a task of its own, since the broker's task ends with its
channel."""

import asyncio
from typing import Final

import structlog

from shared.broker.interfaces import Delivery, WorkConsumer
from shared.broker.messages import ProbeMessage, Work
from shared.metrics.metrics import Metrics
from shared.runtime.logging import bound
from shared.runtime.resilience import Failpoint, failures_logged, log_failure, no_failpoint
from shared.settings.settings import Settings
from shared.tracing.messaging import processing
from terminal_worker.run import Runs
from terminal_worker.session.probe import Probes

_log = structlog.get_logger()


class Deliveries:
    """Owns the runs of this worker, from the delivery to the acknowledgement."""

    def __init__(
        self,
        consumer: WorkConsumer,
        runs: Runs,
        probes: Probes,
        metrics: Metrics,
        settings: Settings,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        self._consumer: Final = consumer
        self._runs: Final = runs
        self._probes: Final = probes
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._failpoint: Final = failpoint
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    async def start(self) -> None:
        """Begin to consume payments. Raises BrokerUnavailable."""
        await self._failpoint("before_consuming")
        self._count_slots()
        await self._consumer.start(self._take)

    def _take(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._run(delivery), name=delivery.message.id)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        self._count_slots()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._count_slots()

    def _count_slots(self) -> None:
        with failures_logged("sessions not counted"):
            self._metrics.slots(len(self._tasks), self._settings.session_limit)

    async def _run(self, delivery: Delivery) -> None:
        message = delivery.message
        with (
            bound(**_named(message), request_id=delivery.request_id),
            processing(delivery.queue, message.id, delivery.trace) as processed,
        ):
            try:
                if isinstance(message, ProbeMessage):
                    await self._probes.run(message)
                else:
                    await self._runs.run(message)
            except asyncio.CancelledError:
                await delivery.requeue()
                raise
            except Exception as error:
                # A payment that breaks our code must not loop. The sweep finds it if it is still queued; the
                # heartbeat finds a lock that it left held.
                log_failure("message dead-lettered after an unexpected error", error)
                processed.fail(type(error).__name__)
                await delivery.reject()
                with failures_logged("message not counted"):
                    self._metrics.dead_letters.inc()
            else:
                with failures_logged("step after the reply failed"):
                    await self._failpoint("after_reply")
                await delivery.ack()

    async def drain(self, seconds: float) -> None:
        """Stop consuming and let sessions finish for `seconds`; those that still run then end in doubt.

        Results that the database does not accept are retried until the container's grace is over.
        """
        await self._consumer.stop()
        if not self._tasks:
            return
        _log.info("finishing sessions", sessions=len(self._tasks), seconds=seconds)
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if not late:
            return
        _, unstored = await asyncio.wait(late, timeout=self._settings.storing_grace_seconds)
        for task in unstored:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _named(message: Work) -> dict[str, str]:
    """Return the log fields of a message."""
    return {"probe_id" if isinstance(message, ProbeMessage) else "payment_id": message.id}
