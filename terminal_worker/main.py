"""The terminal worker's composition root: with `wiring.py`, the only place where its parts are made."""

import gc
import os
import random
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from shared.broker.connections import connected, declare_topology, topology_of
from shared.broker.consumer import QueueConsumer, payment_subscription
from shared.broker.messages import Work
from shared.broker.outbox_publisher import OutboxPublisher, outbox_publisher
from shared.broker.publisher import Publisher
from shared.metrics.metrics import Metrics, running_version
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.ids import new_process_id
from shared.runtime.management import management_server
from shared.runtime.resilience import Failpoint, no_failpoint
from shared.runtime.stopping import LOOP_LAG_INTERVAL_SECONDS, until_stopped, watch_loop_lag
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.db.opening import opened_database
from shared.storage.terminals.heartbeats import Heartbeats
from shared.tracing.switch import tracing
from terminal_worker.drain_request import forget_drain_request, until_asked_to_drain
from terminal_worker.session.connection import TcpConnector
from terminal_worker.wiring import WorkerParts, wire

PROCESS = "terminal-worker"


@dataclass(frozen=True, slots=True)
class Assembled:
    """Terminal worker around its connections; nothing of it runs yet."""

    parts: WorkerParts
    heartbeats: Heartbeats
    consumer: QueueConsumer[Work]
    publisher: Publisher
    outbox_publisher: OutboxPublisher


async def assemble(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    database: Database,
    worker: str,
    clock: Clock,
    metrics: Metrics,
    failpoint: Failpoint = no_failpoint,
) -> Assembled:
    """Connect to the broker and wire the parts; `stack` closes the connections.

    Raises BrokerUnavailable, TopologyMismatch, SettingsError.
    """
    metrics.database.observe(database)
    topology = topology_of(settings)
    heartbeats = await Heartbeats.open(
        settings.database_url.get_secret_value(),
        pooler=settings.database_pooler,
        ca_file=settings.database_ca_file,
    )
    stack.push_async_callback(heartbeats.close)
    consuming = await stack.enter_async_context(
        connected(settings, process=PROCESS, purpose="consume", metrics=metrics)
    )
    publishing = await stack.enter_async_context(
        connected(settings, process=PROCESS, purpose="publish", metrics=metrics)
    )
    await declare_topology(consuming, topology, timeout_seconds=settings.broker_call_timeout_seconds)
    publisher = await Publisher.open(
        publishing, topology, settings=settings, random_bytes=os.urandom, metrics=metrics
    )
    notifying = await stack.enter_async_context(
        outbox_publisher(
            database,
            settings,
            process=PROCESS,
            topology=topology,
            metrics=metrics,
            failpoint=failpoint,
        )
    )
    consumer = QueueConsumer(
        consuming,
        topology,
        payment_subscription(topology, process_id=worker, session_limit=settings.session_limit),
        settings=settings,
        metrics=metrics,
    )
    parts = wire(
        database=database,
        heartbeats=heartbeats,
        consumer=consumer,
        publisher=publisher,
        connect=TcpConnector(settings, metrics.terminals.connect_failed),
        clock=clock,
        metrics=metrics,
        settings=settings,
        worker=worker,
        random_bytes=os.urandom,
        rng=random.SystemRandom(),
        failpoint=failpoint,
    )
    return Assembled(parts, heartbeats, consumer, publisher, notifying)


async def run(settings: Settings, failpoint: Failpoint = no_failpoint) -> None:
    """Work until SIGTERM or SIGINT, or until an operator asks for the end, then drain.

    Raises SettingsError, DatabaseUnavailable, SchemaTooOld, BrokerUnavailable, TopologyMismatch,
    WorkerTakenOver.
    """
    clock, metrics = SystemClock(), Metrics(PROCESS)
    worker = new_process_id(os.urandom)
    structlog.contextvars.bind_contextvars(worker=worker)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(tracing(settings, PROCESS))
        database = await stack.enter_async_context(opened_database(settings))
        assembled = await assemble(
            stack,
            settings,
            database=database,
            worker=worker,
            clock=clock,
            metrics=metrics,
            failpoint=failpoint,
        )
        heartbeats, parts = assembled.heartbeats, assembled.parts
        # The row exists before the first claim and is deleted last.
        await heartbeats.register(worker, socket.gethostname(), running_version())
        stack.push_async_callback(heartbeats.leave, worker)
        stack.push_async_callback(forget_drain_request, database, worker)
        await stack.enter_async_context(
            management_server(
                settings.management_host,
                settings.management_port,
                process=PROCESS,
                registry=metrics.registry,
                checks={"payments": assembled.consumer.ready, "publishing": assembled.publisher.ready},
            )
        )
        async with until_stopped(
            *parts.loops(),
            assembled.outbox_publisher.run(),
            until_asked_to_drain(database, worker, interval_seconds=settings.heartbeat_seconds),
            watch_loop_lag(clock, metrics.loop_lag.observe, interval_seconds=LOOP_LAG_INTERVAL_SECONDS),
        ) as stopped:
            # All objects of the start stay: a full collection that visits them pauses everything for 20 ms.
            gc.freeze()
            await parts.deliveries.start()
            structlog.get_logger().info("terminal worker is taking payments", sessions=settings.session_limit)
            await stopped.wait()
            grace_ends_at = clock.monotonic() + settings.worker_drain_seconds + settings.storing_grace_seconds
            await parts.deliveries.drain(settings.worker_drain_seconds)
            await parts.doubts.close(max(0.0, grace_ends_at - clock.monotonic()))
            # Nothing acknowledged waits for them, yet their connection closes now.
            await parts.reply_publisher.finish()
