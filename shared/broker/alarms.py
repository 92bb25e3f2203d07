"""Broker alarms: RabbitMQ stops reading from publishers while it is short of memory or disk.

It sends `connection.blocked` after the first message of a connection under the alarm, and
`connection.unblocked` when the alarm is over (https://www.rabbitmq.com/docs/connection-blocked). The client
library handles both for its own writer and has no hook for them, so its handlers are wrapped here.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog
from aio_pika import RobustConnection
from pamqp import commands as spec

_log = structlog.get_logger()

#: The client's own handlers; they are private, so a test checks them against a real broker under an alarm.
_ON_BLOCKED: Final = "_Connection__handle_connection_blocked"
_ON_UNBLOCKED: Final = "_Connection__handle_connection_unblocked"


class BrokerAlarm:
    """The alarm of one connection, across its reconnects; `on_raised` is called when one begins."""

    def __init__(self, connection: RobustConnection, on_raised: Callable[[], None]) -> None:
        """`connection` is connected."""
        self._connection: Final = connection
        self._on_raised: Final = on_raised
        #: The broker's reason (`low on memory`, `low on disk`); None while it accepts messages.
        self.reason: str | None = None
        self._watch()
        connection.reconnect_callbacks.add(self._reconnected)

    async def _reconnected(self, _connection: object) -> None:
        # The broker blocks a new connection only after it publishes.
        self.reason = None
        self._watch()

    def _watch(self) -> None:
        transport = self._connection.transport
        assert transport is not None, "the connection is connected"
        client: Any = transport.connection
        blocked, unblocked = getattr(client, _ON_BLOCKED), getattr(client, _ON_UNBLOCKED)

        async def on_blocked(frame: spec.Connection.Blocked) -> None:
            await blocked(frame)
            self._raised(frame.reason)

        async def on_unblocked(frame: spec.Connection.Unblocked) -> None:
            await unblocked(frame)
            self._cleared()

        setattr(client, _ON_BLOCKED, on_blocked)
        setattr(client, _ON_UNBLOCKED, on_unblocked)

    def _raised(self, reason: str) -> None:
        self.reason = reason or "unknown alarm"
        _log.error("RabbitMQ alarm raised", alarm=self.reason)
        self._on_raised()

    def _cleared(self) -> None:
        self.reason = None
        _log.warning("RabbitMQ alarm cleared")
