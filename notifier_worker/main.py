"""The notifier worker's composition root: with `wiring.py`, the only place where its parts are made."""

import asyncio
import gc
import os
import random
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import structlog

from notifier_worker.dispatch import Dispatcher
from notifier_worker.http.client import HttpClient
from notifier_worker.wiring import NotifierParts, kinds_of, wire
from shared.broker.connections import connected, declare_topology, topology_of
from shared.broker.consumer import QueueConsumer, notification_subscription
from shared.broker.messages import NotificationMessage
from shared.broker.publisher import Publisher
from shared.metrics.metrics import Metrics
from shared.network.dns import CachingResolver, SystemResolver
from shared.network.targets import AddressPolicy
from shared.notification.kinds import HIPAY, MERCHANT
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.ids import new_process_id
from shared.runtime.management import management_server
from shared.runtime.resilience import Failpoint, no_failpoint
from shared.runtime.stopping import LOOP_LAG_INTERVAL_SECONDS, until_stopped, watch_loop_lag
from shared.security.encryption import SecretCipher
from shared.security.secret_key import load_secret_key
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.db.opening import opened_database
from shared.tracing.switch import tracing

PROCESS = "notifier-worker"
#: Concurrent DNS look-ups of receivers' hosts, for merchants and for HiPay each.
LOOKUPS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Assembled:
    """Notifier worker around its connections; nothing of it runs yet."""

    parts: NotifierParts
    consumers: Mapping[str, QueueConsumer[NotificationMessage]]
    publisher: Publisher

    @property
    def dispatchers(self) -> Mapping[str, Dispatcher]:
        """Return the dispatchers by kind."""
        return {HIPAY: self.parts.hipay, MERCHANT: self.parts.merchant}

    def loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return the loops that run beside the consumers."""
        dispatchers = (self.parts.hipay, self.parts.merchant)
        return (
            *(loop() for one in dispatchers for loop in (one.lease_loop, one.record_loop)),
            self.parts.relay.run(),
        )


async def assemble(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    metrics: Metrics,
    failpoint: Failpoint = no_failpoint,
) -> Assembled:
    """Connect to the broker and wire the parts; `stack` closes the connections.

    Raises BrokerUnavailable, TopologyMismatch, SettingsError.
    """
    metrics.database.observe(database)
    process_id = new_process_id(os.urandom)
    topology, limit = topology_of(settings), settings.broker_call_timeout_seconds
    consuming = await stack.enter_async_context(
        connected(settings, process=PROCESS, purpose="consume merchant", metrics=metrics)
    )
    consuming_hipay = await stack.enter_async_context(
        connected(settings, process=PROCESS, purpose="consume hipay", metrics=metrics)
    )
    publishing = await stack.enter_async_context(
        connected(settings, process=PROCESS, purpose="publish", metrics=metrics)
    )
    await declare_topology(publishing, topology, timeout_seconds=limit)
    publisher = await Publisher.open(
        publishing, topology, settings=settings, random_bytes=os.urandom, metrics=metrics
    )
    parts = wire(
        database=database,
        publisher=publisher,
        client=_client(stack, settings, settings.webhook_policy(), settings.notify_merchant_concurrency),
        hipay_client=_client(stack, settings, settings.hipay_policy(), settings.notify_hipay_concurrency),
        cipher=SecretCipher(load_secret_key(settings, os.urandom)),
        clock=clock,
        metrics=metrics,
        settings=settings,
        failpoint=failpoint,
        rng=random.SystemRandom(),
    )
    consumers = {
        kind: QueueConsumer(
            connection,
            topology,
            notification_subscription(topology, kind, process_id=process_id, prefetch=prefetch),
            settings=settings,
            metrics=metrics,
        )
        for kind, connection, prefetch in (
            (HIPAY, consuming_hipay, settings.notify_hipay_concurrency),
            (MERCHANT, consuming, settings.notify_merchant_concurrency),
        )
        if kind in kinds_of(settings)
    }
    return Assembled(parts, consumers, publisher)


async def run(settings: Settings, failpoint: Failpoint = no_failpoint) -> None:
    """Deliver until SIGTERM or SIGINT, then finish the running deliveries.

    Raises SettingsError, DatabaseUnavailable, SchemaTooOld, BrokerUnavailable, TopologyMismatch.
    """
    clock, metrics = SystemClock(), Metrics(PROCESS)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(tracing(settings, PROCESS))
        database = await stack.enter_async_context(opened_database(settings))
        assembled = await assemble(
            stack, settings, database=database, clock=clock, metrics=metrics, failpoint=failpoint
        )
        dispatchers, consumers = assembled.dispatchers, assembled.consumers
        await stack.enter_async_context(
            management_server(
                settings.management_host,
                settings.management_port,
                process=PROCESS,
                registry=metrics.registry,
                checks={
                    **{kind: consumer.ready for kind, consumer in consumers.items()},
                    "publishing": assembled.publisher.ready,
                },
            )
        )
        async with until_stopped(
            *assembled.loops(),
            watch_loop_lag(clock, metrics.loop_lag.observe, interval_seconds=LOOP_LAG_INTERVAL_SECONDS),
        ) as stopped:
            # All objects of the start stay: a full collection that visits them pauses everything for 20 ms.
            gc.freeze()
            for kind, consumer in consumers.items():
                await consumer.start(dispatchers[kind].take)
            structlog.get_logger().info("notifier worker is delivering")
            await stopped.wait()
            await asyncio.gather(*(consumer.stop() for consumer in consumers.values()))
            await asyncio.gather(
                *(one.drain(settings.notifier_drain_seconds) for one in dispatchers.values())
            )


def _client(stack: AsyncExitStack, settings: Settings, policy: AddressPolicy, limit: int) -> HttpClient:
    """Return a client; `limit`: the posts that run at once, each on a connection."""
    system = SystemResolver(LOOKUPS_AT_ONCE)
    stack.callback(system.close)
    resolver = CachingResolver(system, SystemClock(), limit_each=LOOKUPS_AT_ONCE)
    client = HttpClient(
        policy,
        resolver.lookup_for(PROCESS),
        connect_timeout_seconds=settings.notify_connect_timeout_seconds,
        max_connections=limit,
    )
    stack.push_async_callback(client.aclose)
    return client
