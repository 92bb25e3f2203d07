"""Connections to the broker: named, with a short heartbeat, each for one purpose.

Publishing, consuming and replies never share one: under a memory alarm the broker stops reading a connection
that publishes, which must not block acknowledgements; a reply queue that cannot be restored must not break
anything else.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal

import structlog
from aio_pika import Channel, RobustConnection
from aio_pika.abc import AbstractChannel
from aio_pika.connection import make_url
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AuthenticationError,
    ChannelPreconditionFailed,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ChannelAccessRefused, InvalidFrameError

from shared.broker.errors import BrokerUnavailable, TopologyMismatch
from shared.broker.outages import OUTAGES
from shared.broker.topology import Topology, declare_queue
from shared.metrics.metrics import Metrics
from shared.network.tls import verifying_context
from shared.settings.settings import Settings

Purpose = Literal["publish", "consume", "reply", "notify", "consume hipay", "consume merchant"]

#: All that the client raises when the broker or the network fails; its state errors are RuntimeErrors.
CLIENT_ERRORS: Final = (*CONNECTION_EXCEPTIONS, TimeoutError)

DEFAULT_PORT: Final = {"amqp": 5672, "amqps": 5671}

RECONNECTING: Final = "no connection to the broker; reconnecting"


def topology_of(settings: Settings) -> Topology:
    return Topology(settings.amqp_prefix, settings.delivery_limit)


@contextlib.asynccontextmanager
async def connected(
    settings: Settings, *, process: str, purpose: Purpose, metrics: Metrics | None = None
) -> AsyncIterator[RobustConnection]:
    """Connect, and reconnect after a loss until the block ends.

    `process` and `purpose` name the connection in the broker's lists, `purpose` in `metrics`, too.
    Raises BrokerUnavailable where the first connection fails, SettingsError where no address is set.
    """
    url = make_url(
        settings.require_amqp_url(),
        name=f"cloud-terminal {process} {purpose}",
        heartbeat=settings.broker_heartbeat_seconds,
        reconnect_interval=settings.broker_reconnect_seconds,
    )
    ca_file = settings.amqp_ca_file
    connection = RobustConnection(url, ssl_context=None if ca_file is None else verifying_context(ca_file))
    limit = settings.broker_call_timeout_seconds
    try:
        try:
            async with asyncio.timeout(limit):
                await connection.connect(timeout=limit)
        except CLIENT_ERRORS as error:
            place = f"{url.host}:{url.port or DEFAULT_PORT[url.scheme]}"
            raise BrokerUnavailable(f"Cannot reach RabbitMQ at {place}: {_reason(error)}") from error
        with _watched(connection, purpose, metrics):
            yield connection
    finally:
        with contextlib.suppress(*CLIENT_ERRORS):
            async with asyncio.timeout(limit):
                await connection.close()


@contextlib.contextmanager
def _watched(connection: RobustConnection, purpose: Purpose, metrics: Metrics | None) -> Iterator[None]:
    """Log and measure the losses of the connection in the block."""

    def on_close(_connection: object, error: BaseException | None) -> None:
        OUTAGES.lost(connection, purpose, error)

    async def on_reconnect(_connection: object) -> None:
        OUTAGES.restored(connection)
        if metrics is not None:
            metrics.broker.reconnected(purpose)

    if metrics is not None:
        metrics.broker.watch_connection(purpose, connection.connected.is_set)
    connection.close_callbacks.add(on_close)
    connection.reconnect_callbacks.add(on_reconnect)
    try:
        yield
    finally:
        # From here on it is closed on purpose.
        connection.close_callbacks.discard(on_close)
        OUTAGES.ended(connection)


async def declare_topology(
    connection: RobustConnection, topology: Topology, *, timeout_seconds: float
) -> None:
    """Declare the durable queues, and again after each reconnect, since the broker may have lost them.

    Uses throwaway channels: a failed declaration closes its channel. Raises BrokerUnavailable or
    TopologyMismatch.
    """
    await _declare(connection, topology, timeout_seconds)

    async def declare_again(_connection: object) -> None:
        try:
            await _declare(connection, topology, timeout_seconds)
        except (BrokerUnavailable, TopologyMismatch) as error:
            structlog.get_logger().warning("queues not declared after a reconnect", reason=str(error))

    connection.reconnect_callbacks.add(declare_again)


@contextlib.asynccontextmanager
async def throwaway_channel(
    connection: RobustConnection, *, timeout_seconds: float
) -> AsyncIterator[AbstractChannel]:
    """Yield a channel for calls that may fail, closed at the end; raise BrokerUnavailable, also for errors
    inside the block."""
    with unavailable_when_failing():
        if not connection.connected.is_set():
            raise BrokerUnavailable(RECONNECTING)
        # A plain channel on a robust connection: nothing of it is restored after a reconnect.
        channel = Channel(connection, publisher_confirms=False)
        try:
            async with asyncio.timeout(timeout_seconds):
                await channel.initialize()
                yield channel
        finally:
            with contextlib.suppress(*CLIENT_ERRORS):
                async with asyncio.timeout(timeout_seconds):
                    await channel.close()


@contextlib.contextmanager
def unavailable_when_failing() -> Iterator[None]:
    """Raise BrokerUnavailable for the client's many errors and for a time-out."""
    try:
        yield
    except ChannelPreconditionFailed:
        raise
    except CLIENT_ERRORS as error:
        raise BrokerUnavailable(_reason(error)) from error


async def _declare(connection: RobustConnection, topology: Topology, timeout_seconds: float) -> None:
    for name, kind in topology.declarations:
        try:
            async with throwaway_channel(connection, timeout_seconds=timeout_seconds) as channel:
                await declare_queue(channel, name, kind, topology, timeout_seconds=timeout_seconds)
        except BrokerUnavailable as error:
            if not isinstance(error.__cause__, ChannelAccessRefused):
                raise
            # A queue of another kind of process, see `shared.broker.accounts`: it only has to exist.
            async with throwaway_channel(connection, timeout_seconds=timeout_seconds) as channel:
                await channel.declare_queue(name, passive=True, timeout=timeout_seconds)
        except ChannelPreconditionFailed as error:
            raise TopologyMismatch(
                f"The queue {name} exists with other arguments ({error}). Delete it and start again: its "
                "messages are in the database, and the workers publish them again."
            ) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    # Where the virtual host is not there RabbitMQ closes, and the client says which frame it wanted.
    if isinstance(error, AuthenticationError | ProbableAuthenticationError | InvalidFrameError):
        return "user, password or virtual host not accepted"
    return str(error) or type(error).__name__
