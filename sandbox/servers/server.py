"""Kinds, sources, interface and error of servers, and progress messages. Light to import."""

import sys
from typing import Literal, Protocol, get_args, runtime_checkable


class ServersUnavailable(Exception):
    """Raised where no server could be found or started; the message says what is missing and what to type."""


class SourceMissing(ServersUnavailable):
    """Raised where a source does not exist here (no engine, not installed); the next one is tried."""


class StartFailed(ServersUnavailable):
    """Raised for a server that did not answer in time or ended; the message holds the end of its log."""


class PortTaken(StartFailed):
    """Raised for a server that ended because one of its ports was in use."""


Kind = Literal["rabbitmq", "postgres"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Source = Literal["external", "docker", "installed", "unpacked"]
SOURCES: tuple[Source, ...] = get_args(Source)
"""In the order of attempts."""
PRIVATE_SOURCES: tuple[Source, ...] = ("docker", "installed", "unpacked")
"""Sources of a server of one's own, which may be killed."""

AMQP_VARIABLE = "TEST_AMQP_URL"
POSTGRES_VARIABLE = "TEST_POSTGRES_URL"


class Server(Protocol):
    """A server that demo, tests or a benchmark run beside.

    Starting is in two steps so that RabbitMQ's seven seconds and PostgreSQL's one pass together.
    """

    title: str
    """The product's name."""

    origin: str
    """Human-readable source: 'external', 'in Docker', 'installed', 'unpacked'."""

    @property
    def url(self) -> str:
        """Return the address for clients; it stays the same over `kill`, `stop` and another `launch`."""

    def launch(self) -> None:
        """Begin to start the server, on its earlier data if it ran before."""

    def wait_ready(self) -> None:
        """Return when a client can use the server; raise StartFailed when it ended or takes too long."""

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL); its data stays."""

    def stop(self) -> None:
        """End the server in order; its data stays."""

    def remove(self) -> None:
        """End the server, whatever its state, and delete its data."""


@runtime_checkable
class Broker(Server, Protocol):
    """A RabbitMQ of our own, whose memory alarm may be raised."""

    def alarm(self, *, raised: bool) -> None:
        """Raise or clear the memory alarm, by the node's memory limit; takes two seconds."""


def say(text: str) -> None:
    """Write one line of progress to standard error."""
    sys.stderr.write(f"servers: {text}\n")
    sys.stderr.flush()
