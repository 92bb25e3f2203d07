"""The API's composition root: settings, connections, dependencies, serving."""

import asyncio
import gc
import os
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import structlog

from api.app import make_app
from api.connector.readiness import Readiness, database_check
from api.connector.request import warm_up
from api.http.dependencies import Dependencies
from api.http.server.accepting import Acceptance
from api.http.server.connections import http_options
from api.http.server.given_responses import GivenResponses
from api.payments.waiters import Waiters
from api.wiring import wire
from shared.broker.connections import connected, declare_topology, topology_of
from shared.broker.outbox_publisher import OutboxPublisher, outbox_publisher
from shared.broker.publisher import Publisher
from shared.broker.replies import ReplyQueue
from shared.metrics.metrics import Metrics
from shared.network.dns import Lookup, SystemResolver
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.ids import new_process_id
from shared.runtime.management import management_server
from shared.runtime.resilience import Failpoint, failures_logged, no_failpoint
from shared.runtime.serving import bind, port_of, serving
from shared.runtime.stopping import LOOP_LAG_INTERVAL_SECONDS, until_stopped, watch_loop_lag
from shared.security.secret_key import load_secret_key
from shared.settings.fields import variable
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.db.opening import opened_database
from shared.tracing.switch import tracing

PROCESS = "api"
_SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Assembled:
    """API process around its connections; its loops do not run yet."""

    dependencies: Dependencies
    publisher: Publisher
    replies: ReplyQueue
    waiters: Waiters
    outbox_publisher: OutboxPublisher

    def loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return the loops that run beside the requests."""
        payments = self.dependencies.payments
        return (
            self.waiters.run(),
            payments.admission.run(),
            payments.stored_bytes.run(),
            self.dependencies.responses.run(),
            self.dependencies.last_uses.run(),
            self.outbox_publisher.run(),
        )


async def assemble(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    database: Database,
    lookup: Lookup,
    secret_key: bytes,
    clock: Clock,
    metrics: Metrics,
    failpoint: Failpoint = no_failpoint,
) -> Assembled:
    """Connect to the broker and wire the parts; `stack` closes the connections.

    Raises BrokerUnavailable, TopologyMismatch, SettingsError.
    """
    metrics.database.observe(database)
    topology = topology_of(settings)
    publishing = await stack.enter_async_context(
        connected(settings, process=PROCESS, purpose="publish", metrics=metrics)
    )
    replying = await stack.enter_async_context(
        connected(settings, process=PROCESS, purpose="reply", metrics=metrics)
    )
    await declare_topology(publishing, topology, timeout_seconds=settings.broker_call_timeout_seconds)
    publisher = await Publisher.open(
        publishing, topology, settings=settings, random_bytes=os.urandom, metrics=metrics
    )
    replies = ReplyQueue(
        replying, topology, process_id=new_process_id(os.urandom), settings=settings, metrics=metrics
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
    waiters = Waiters(database, clock, metrics, settings)
    await replies.start(waiters.replied)
    readiness = Readiness(
        {"database": database_check(database), "publishing": publisher.ready, "replies": replies.ready},
        clock,
    )
    dependencies = wire(
        database=database,
        publisher=publisher,
        replies=replies,
        waiters=waiters,
        readiness=readiness,
        secret_key=secret_key,
        clock=clock,
        metrics=metrics,
        settings=settings,
        random_bytes=os.urandom,
        lookup=lookup,
        failpoint=failpoint,
    )
    return Assembled(dependencies, publisher, replies, waiters, notifying)


async def _store_responses(responses: GivenResponses) -> None:
    with failures_logged("given responses not stored"):
        await responses.store()


async def run(settings: Settings, failpoint: Failpoint = no_failpoint) -> None:
    """Serve until SIGTERM or SIGINT, then let the running requests finish.

    Raises SettingsError, DatabaseUnavailable, SchemaTooOld, BrokerUnavailable, TopologyMismatch.
    """
    # The event loop asks for the interpreter at each turn while large bodies are read on a thread.
    sys.setswitchinterval(_SWITCH_SECONDS)
    clock, metrics = SystemClock(), Metrics(PROCESS)
    secret_key = load_secret_key(settings, os.urandom)
    warm_up()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(tracing(settings, PROCESS))
        listening = bind(
            settings.api_host,
            settings.api_port,
            setting=variable("api_port"),
            host_setting=variable("api_host"),
        )
        stack.callback(listening.close)
        database = await stack.enter_async_context(opened_database(settings))
        lookup = SystemResolver(settings.name_lookup_limit)
        stack.callback(lookup.close)
        assembled = await assemble(
            stack,
            settings,
            database=database,
            lookup=lookup,
            secret_key=secret_key,
            clock=clock,
            metrics=metrics,
            failpoint=failpoint,
        )
        acceptance = Acceptance()
        app = acceptance.closing(make_app(assembled.dependencies))
        await stack.enter_async_context(
            management_server(
                settings.management_host,
                settings.management_port,
                process=PROCESS,
                registry=metrics.registry,
                checks=assembled.dependencies.readiness.checks,
                acceptance=acceptance.check,
            )
        )
        # After the last answer, before the database is closed.
        stack.push_async_callback(_store_responses, assembled.dependencies.responses)
        lag = watch_loop_lag(clock, metrics.loop_lag.observe, interval_seconds=LOOP_LAG_INTERVAL_SECONDS)
        stopped = await stack.enter_async_context(until_stopped(*assembled.loops(), lag))
        # Left first at the end: the requests finish while everything that they need still runs.
        async with serving(
            app,
            listening,
            drain_seconds=settings.api_drain_seconds,
            **http_options(settings, metrics),
        ):
            # All objects of the start stay: a full collection that visits them would delay every request.
            gc.freeze()
            acceptance.begin()
            structlog.get_logger().info("API is serving", host=settings.api_host, port=port_of(listening))
            await stopped.wait()
            # The proxy has to notice before the port is closed: no client is refused a connection.
            acceptance.end()
            await asyncio.sleep(settings.api_unready_seconds)
