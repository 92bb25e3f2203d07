"""What every RabbitMQ and PostgreSQL offers, whichever way it was had."""

from typing import Protocol


class Server(Protocol):
    """A server that demo, tests or a benchmark run beside.

    Starting is in two steps so that RabbitMQ's seven seconds and PostgreSQL's one pass together.
    """

    title: str
    """The product's name, for people."""

    origin: str
    """Where it came from, for people: 'given', 'in Docker', 'installed', 'unpacked'."""

    @property
    def url(self) -> str:
        """The address that clients use; stays the same over `kill`, `stop` and another `launch`."""

    def launch(self) -> None:
        """Begin to start it, on the data it had before if it ran before."""

    def wait_ready(self) -> None:
        """Return when a client can use it; raise StartFailed when it ended or takes too long."""

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL); the data stays."""

    def stop(self) -> None:
        """End it in order; the data stays."""

    def remove(self) -> None:
        """End it and let go of its data, whatever state it is in."""
