"""The wiring of a worker, around whatever clock, network and broker it is given."""

import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from shared.broker.interfaces import MessagePublisher, WorkConsumer
from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.metrics import Metrics
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes
from shared.runtime.resilience import Failpoint, no_failpoint
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.terminals.heartbeats import Heartbeats
from shared.storage.terminals.locks import LockTokens
from terminal_worker.consume import Deliveries
from terminal_worker.day_totals import DayTotals
from terminal_worker.installation import InstallationCounts
from terminal_worker.recovery.dead_workers import Recovery
from terminal_worker.recovery.doubt_leases import DoubtLeases
from terminal_worker.recovery.doubt_resolver import DoubtResolver
from terminal_worker.recovery.heartbeat import Heartbeat, Observer
from terminal_worker.recovery.sweep import Sweep
from terminal_worker.retention import Retention
from terminal_worker.run import Runs
from terminal_worker.session.connection import Connect
from terminal_worker.session.enquiry import Enquirer, Identifier
from terminal_worker.session.probe import Probes
from terminal_worker.session.session import TerminalSessions


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """A wired worker; nothing of it runs yet."""

    runs: Runs
    doubts: DoubtLeases
    deliveries: Deliveries
    heartbeat: Heartbeat
    recovery: Recovery
    sweep: Sweep
    counts: InstallationCounts
    retention: Retention
    day_totals: DayTotals
    reply_publisher: ReplyPublisher

    def loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return the loops that run beside the deliveries until the worker ends."""
        return (
            self.heartbeat.run(),
            self.doubts.run(),
            self.recovery.run(),
            self.sweep.run(),
            self.counts.run(),
            self.retention.run(),
            self.day_totals.run(),
        )


def wire(
    *,
    database: Database,
    heartbeats: Heartbeats,
    consumer: WorkConsumer,
    publisher: MessagePublisher,
    connect: Connect,
    clock: Clock,
    metrics: Metrics,
    settings: Settings,
    worker: str,
    random_bytes: RandomBytes,
    rng: random.Random,
    failpoint: Failpoint = no_failpoint,
) -> WorkerParts:
    """Wire a worker. `worker` is its id, new at every start."""
    reply_publisher = ReplyPublisher(database, publisher, metrics, clock)
    tokens = LockTokens()
    identifier = Identifier(connect, clock, settings)
    resolver = DoubtResolver(
        database=database,
        enquirer=Enquirer(database, connect, clock, settings),
        reply_publisher=reply_publisher,
        clock=clock,
        metrics=metrics,
        settings=settings,
        worker=worker,
        rng=rng,
    )
    doubts = DoubtLeases(
        database=database,
        resolver=resolver,
        reply_publisher=reply_publisher,
        clock=clock,
        settings=settings,
        worker=worker,
    )
    runs = Runs(
        database=database,
        sessions=TerminalSessions(connect, identifier, clock, settings, failpoint),
        identifier=identifier,
        doubts=doubts,
        tokens=tokens,
        reply_publisher=reply_publisher,
        clock=clock,
        metrics=metrics,
        settings=settings,
        worker=worker,
        random_bytes=random_bytes,
        rng=rng,
        failpoint=failpoint,
    )
    probes = Probes(
        database=database,
        connect=connect,
        tokens=tokens,
        reply_publisher=reply_publisher,
        clock=clock,
        settings=settings,
        worker=worker,
        random_bytes=random_bytes,
        rng=rng,
    )
    recovery = Recovery(
        database=database,
        heartbeats=heartbeats,
        doubts=doubts,
        tokens=tokens,
        reply_publisher=reply_publisher,
        observer=Observer(
            stale_seconds=settings.worker_stale_seconds, heartbeat_seconds=settings.heartbeat_seconds
        ),
        clock=clock,
        metrics=metrics,
        settings=settings,
        worker=worker,
        random_bytes=random_bytes,
    )
    sweep = Sweep(
        database=database,
        publisher=publisher,
        reply_publisher=reply_publisher,
        settings=settings,
        rng=rng,
    )
    return WorkerParts(
        runs=runs,
        doubts=doubts,
        deliveries=Deliveries(consumer, runs, probes, metrics, settings, failpoint),
        heartbeat=Heartbeat(heartbeats, worker, settings),
        recovery=recovery,
        sweep=sweep,
        retention=Retention(database, metrics, settings, worker, rng),
        day_totals=DayTotals(database, settings, worker, rng),
        counts=InstallationCounts(database, metrics, rng),
        reply_publisher=reply_publisher,
    )
