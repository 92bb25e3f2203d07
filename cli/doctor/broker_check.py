"""Checks of the broker: reachable, without an alarm, with the queues of this release."""

import os
from typing import TYPE_CHECKING, Any, Final

from aio_pika import RobustConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused

from cli.doctor.finding import Finding, Findings, Level
from shared.broker.connections import connected, throwaway_channel, topology_of
from shared.broker.errors import BrokerUnavailable
from shared.broker.publisher import Publisher
from shared.broker.topology import QueueKind, Topology, declare_queue
from shared.metrics.metrics import Metrics
from shared.notification.kinds import HIPAY

if TYPE_CHECKING:
    from shared.settings.settings import Settings

PART: Final = "broker"


async def check_broker(settings: "Settings") -> Findings:
    """Yield what is found; nothing more once the broker does not answer."""
    if settings.amqp_url is None:
        yield Finding(
            PART, Level.PROBLEM, "CLOUD_TERMINAL_AMQP_URL is not set.", "Set it for API and workers."
        )
        return
    topology = topology_of(settings)
    try:
        async with connected(settings, process="doctor", purpose="publish") as connection:
            yield Finding(PART, Level.OK, f"RabbitMQ {_version(connection)} answers.")
            publisher = await Publisher.open(
                connection,
                topology,
                settings=settings,
                random_bytes=os.urandom,
                metrics=Metrics("doctor"),
            )
            problem = await publisher.ready()
            if problem is not None:
                yield Finding(PART, Level.PROBLEM, problem, "Give it memory or disk, or look at its log.")
            for name, kind in topology.declarations:
                yield await _check_queue(connection, topology, name, kind, settings)
    except BrokerUnavailable as error:
        yield Finding(PART, Level.PROBLEM, f"{error}.", "Start it, or correct its URL and account.")


def _version(connection: RobustConnection) -> str:
    transport = connection.transport
    assert transport is not None, "it is connected"
    properties: Any = transport.connection.server_properties
    return str(properties.get("version", "of an unknown version"))


async def _check_queue(
    connection: RobustConnection, topology: Topology, name: str, kind: QueueKind, settings: "Settings"
) -> Finding:
    limit = settings.broker_call_timeout_seconds
    try:
        # First without making it: a declaration with arguments would.
        async with throwaway_channel(connection, timeout_seconds=limit) as channel:
            counted = (await channel.declare_queue(name, passive=True, timeout=limit)).declaration_result
    except BrokerUnavailable as error:
        if isinstance(error.__cause__, ChannelNotFoundEntity):
            return Finding(PART, Level.WARNING, f"There is no queue {name}.", "The first process makes it.")
        return Finding(
            PART, Level.WARNING, f"{name} cannot be looked at: {error}.", "Use the owner's account."
        )
    try:
        async with throwaway_channel(connection, timeout_seconds=limit) as channel:
            await declare_queue(channel, name, kind, topology, timeout_seconds=limit)
    except ChannelPreconditionFailed:
        return Finding(
            PART,
            Level.PROBLEM,
            f"The queue {name} has other arguments than this release's.",
            "Stop the processes and delete it: its messages are published again from the database.",
        )
    except BrokerUnavailable as error:
        # An account that may only use the queue, see `shared.broker.accounts`.
        if not isinstance(error.__cause__, ChannelAccessRefused):
            raise
    unused = topology.notifications(HIPAY) if settings.hipay_url is None else None
    return _judge(topology, name, counted.message_count or 0, counted.consumer_count or 0, unused)


def _judge(topology: Topology, name: str, messages: int, consumers: int, unused: str | None) -> Finding:
    """Return what the counts of a queue say; the `unused` one has no consumer while it is empty."""
    if name in (topology.dead_payments, topology.dead_notifications):
        if messages:
            fact = f"{name} has {messages} messages that could not be handled."
            return Finding(PART, Level.WARNING, fact, "Search the workers' logs for 'dead-lettered'.")
    elif name == unused and not messages:
        return Finding(PART, Level.OK, f"{name} is empty: no order notifications are sent.")
    elif not consumers:
        return Finding(PART, Level.WARNING, f"No worker takes from {name}.", "Start one.")
    return Finding(PART, Level.OK, f"{name}: {messages} messages, {consumers} consumers.")
