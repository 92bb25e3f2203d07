"""The log of lost connections to RabbitMQ: two lines an outage, however many connections a process has."""

import time
from typing import Final

import structlog

_log = structlog.get_logger()


class OutageLog:
    """The connections of one process that are lost at this moment."""

    def __init__(self) -> None:
        #: By connection: its purpose.
        self._lost: Final[dict[object, str]] = {}
        self._began = 0.0

    def lost(self, connection: object, purpose: str, error: BaseException | None) -> None:
        """Note a lost connection; the first one of an outage is logged."""
        if not self._lost:
            self._began = time.monotonic()
            _log.warning("connection to RabbitMQ lost; reconnecting", purpose=purpose, error=str(error))
        self._lost[connection] = purpose

    def restored(self, connection: object) -> None:
        """Note a connection that is there again; the last one of an outage is logged."""
        if self._lost.pop(connection, None) is not None and not self._lost:
            seconds = round(time.monotonic() - self._began, 1)
            _log.info("connections to RabbitMQ restored", seconds=seconds)

    def ended(self, connection: object) -> None:
        """Forget a connection that is closed on purpose."""
        self._lost.pop(connection, None)


#: One for the process, as its log is.
OUTAGES: Final = OutageLog()
