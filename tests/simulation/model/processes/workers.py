"""Terminal worker as its composition root runs it, in the simulated world."""

import asyncio

from shared.broker.outbox_publisher import OutboxPublisher
from shared.metrics.metrics import Metrics
from shared.runtime.ids import new_process_id
from shared.storage.terminals.heartbeats import Heartbeats
from terminal_worker.recovery.heartbeat import WorkerTakenOver
from terminal_worker.wiring import wire
from tests.simulation.database.databases import open_simulated
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.engine.surroundings import seeded_bytes, seeded_rng
from tests.simulation.model.broker import SimulatedConsumer, SimulatedPublisher
from tests.simulation.model.network import Connector
from tests.simulation.model.processes.process import SimulatedClock
from tests.simulation.model.processes.stoppable import StoppableProcess

METRICS = Metrics("simulated-worker")


class Worker(StoppableProcess):
    """One start of a terminal worker; a taker's mark ends it, too."""

    #: Its id in the database.
    id = ""

    async def _run(self) -> None:
        around, process, settings = self._around, self.process, SETTINGS
        rng, random_bytes = seeded_rng(around.stage), seeded_bytes(around.stage)
        clock = SimulatedClock(around.stage.loop, around.stage.rng)
        worker = self.id = new_process_id(random_bytes)
        around.stage.note("starts", process.name, id=worker)
        database = open_simulated("main", rng)
        heartbeats = Heartbeats(open_simulated("heartbeats", rng))
        publisher = SimulatedPublisher(around.broker, around.stage.faults, around.stage.rng)
        consumer = SimulatedConsumer(around.broker, process, settings.session_limit)
        parts = wire(
            database=database,
            heartbeats=heartbeats,
            consumer=consumer,
            publisher=publisher,
            connect=Connector(around.stage, around.ledger, process, around.terminals),
            clock=clock,
            metrics=METRICS,
            settings=settings,
            worker=worker,
            random_bytes=random_bytes,
            rng=rng,
        )
        await heartbeats.register(worker)
        await parts.deliveries.start()
        loops = list(parts.loops())
        if around.usage.endpoints is not None:
            outbox_publisher = OutboxPublisher(publisher)
            database.on_committed = outbox_publisher.wake
            loops.append(outbox_publisher.run())
        background = [asyncio.create_task(part) for part in loops]
        await self._stopped_or_ended(background)
        grace_ends_at = clock.monotonic() + settings.worker_drain_seconds + settings.storing_grace_seconds
        await parts.deliveries.drain(settings.worker_drain_seconds)
        await parts.doubts.close(max(0.0, grace_ends_at - clock.monotonic()))
        for task in background:
            task.cancel()
        for result in await asyncio.gather(*background, return_exceptions=True):
            if isinstance(result, WorkerTakenOver):
                around.stage.note("taken for dead", process.name)
            elif isinstance(result, Exception):
                around.unexpected(process.name, result)
        await heartbeats.leave(worker)
