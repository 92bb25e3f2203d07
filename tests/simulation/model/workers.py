"""Terminal worker as its composition root runs it, in the simulated world."""

import asyncio

from shared.broker.outbox_publisher import OutboxPublisher
from shared.runtime.ids import new_process_id
from shared.runtime.metrics import Metrics
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable
from shared.storage.terminals.heartbeats import Heartbeats
from terminal_worker.recovery.heartbeat import WorkerTakenOver
from terminal_worker.wiring import wire
from tests.simulation.database.databases import open_simulated
from tests.simulation.database.thin import is_refused
from tests.simulation.limits import SETTINGS
from tests.simulation.model.broker import SimulatedConsumer, SimulatedPublisher
from tests.simulation.model.network import Connector
from tests.simulation.model.process import Process, SimulatedClock
from tests.simulation.surroundings import Surroundings, seeded_bytes, seeded_rng

METRICS = Metrics("simulated-worker")


class Worker:
    """One start of a terminal worker; it ends by itself only when it is stopped or taken for dead."""

    def __init__(self, around: Surroundings, name: str) -> None:
        self.process = Process(around.stage, name)
        self._around = around
        self._stopped = asyncio.Event()
        #: Its id in the database.
        self.id = ""
        self.process.spawn(self._guarded())

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        self._around.stage.note("stopped", self.process.name)
        self.process.is_stopping = True
        self._around.stage.loop.call_soon(self._stopped.set, context=self.process.context)

    async def _guarded(self) -> None:
        try:
            await self._run()
        except (DatabaseUnavailable, CommitUnknown) as error:
            self._around.stage.note("failed", self.process.name, error=repr(error))
        except Exception as error:
            if not is_refused(error):
                self._around.unexpected(self.process.name, error)
        self.process.end()

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
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait([*background, stopped], return_when=asyncio.FIRST_COMPLETED)
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
