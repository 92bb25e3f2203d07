"""External servers, addressed by the environment and never stopped, and the probes of any server."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import aio_pika
import asyncpg

from sandbox.servers.private.children import POLL_SECONDS
from sandbox.servers.server import AMQP_VARIABLE, POSTGRES_VARIABLE, SourceMissing, StartFailed

CONNECT_SECONDS = 5.0
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
CONNECTION_START = b"\x00\x0a\x00\x0a"  # class 10, method 10


def wait_until(
    refusal: Callable[[], str | None], alive: Callable[[], None], seconds: float, name: str
) -> None:
    """Wait until `refusal` returns None; raise the error of `alive`, or StartFailed after the seconds."""
    deadline = time.monotonic() + seconds
    while (reason := refusal()) is not None:
        alive()
        if time.monotonic() > deadline:
            raise StartFailed(f"{name} did not answer within {seconds:.0f} s: {reason}")
        time.sleep(POLL_SECONDS)
    alive()


def amqp_refusal(url: str, node: str = "") -> str | None:
    """Return the reason why no AMQP connection with this URL can be opened, or None.

    The greeting of `amqp:` addresses is read without the driver first: the driver logs an error for each
    failed attempt, and a starting broker refuses for seconds. node: another node's greeting is a refusal.
    """
    address = urlsplit(url)
    if address.scheme == "amqp":
        reason = _greeting_refusal(address.hostname or "localhost", address.port or 5672, node)
        if reason is not None:
            return reason
    return asyncio.run(_amqp_refusal(url))


def postgres_refusal(url: str) -> str | None:
    """Return the reason why no PostgreSQL connection with this SQLAlchemy URL can be opened, or None."""
    return asyncio.run(_postgres_refusal(url))


def _greeting_refusal(host: str, port: int, node: str) -> str | None:
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS) as connection:
            connection.sendall(AMQP_HEADER)
            header = connection.recv(7, socket.MSG_WAITALL)
            greeting = connection.recv(int.from_bytes(header[3:]), socket.MSG_WAITALL)
    except OSError as error:
        return str(error)
    if not greeting.startswith(CONNECTION_START):
        return f"no AMQP greeting from {host}:{port}"
    # The greeting's server properties hold the cluster's name, which begins with the node's.
    return None if node.encode() in greeting else f"another broker listens on {host}:{port}"


async def _amqp_refusal(url: str) -> str | None:
    try:
        connection = await aio_pika.connect(url, timeout=CONNECT_SECONDS)
    except (aio_pika.exceptions.AMQPError, OSError) as error:  # TimeoutError is an OSError
        return str(error) or type(error).__name__
    await connection.close()
    return None


async def _postgres_refusal(url: str) -> str | None:
    # Importing SQLAlchemy would take as long as the server's start; only these two names differ in asyncpg.
    address = url.replace("postgresql+asyncpg://", "postgresql://").replace("?ssl=", "?sslmode=")
    try:
        connection = await asyncpg.connect(address, timeout=CONNECT_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return str(error) or type(error).__name__
    await connection.close()
    return None


class ExternalServer:
    """A server at an address from the environment; it can be used, not killed or stopped."""

    origin = "external"

    def __init__(self, title: str, variable: str, url: str, refusal: Callable[[str], str | None]) -> None:
        self.title = title
        self._variable = variable
        self._url = url
        self._refusal = refusal

    @property
    def url(self) -> str:
        return self._url

    def launch(self) -> None:
        """Do nothing: the server runs."""

    def wait_ready(self) -> None:
        """Raise StartFailed unless the server answers: a given address is never replaced silently."""
        reason = self._refusal(self._url)
        if reason is not None:
            raise StartFailed(
                f"{self.title} at the address in {self._variable} does not answer: {reason}\n"
                f"Start it, correct {self._variable}, or unset it to have a private one started."
            )

    def kill(self) -> None:
        raise self._not_ours("killed")

    def stop(self) -> None:
        raise self._not_ours("stopped")

    def remove(self) -> None:
        """Do nothing: the server stays."""

    def _not_ours(self, what: str) -> StartFailed:
        return StartFailed(
            f"{self.title} was given in {self._variable} and cannot be {what} from here; "
            f"unset {self._variable} to work with a private one."
        )


def external_rabbitmq() -> ExternalServer:
    """Return the broker at TEST_AMQP_URL; raise SourceMissing without one, StartFailed without an answer."""
    return _answering(ExternalServer("RabbitMQ", AMQP_VARIABLE, _address(AMQP_VARIABLE), amqp_refusal))


def external_postgres() -> ExternalServer:
    """Return the server at TEST_POSTGRES_URL, with or without `+asyncpg`; raise as `external_rabbitmq`
    does."""
    url = _address(POSTGRES_VARIABLE)
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            url = "postgresql+asyncpg://" + url.removeprefix(scheme)
    return _answering(ExternalServer("PostgreSQL", POSTGRES_VARIABLE, url, postgres_refusal))


def _answering(server: ExternalServer) -> ExternalServer:
    server.wait_ready()  # now, before another server is started in vain
    return server


def _address(variable: str) -> str:
    url = os.environ.get(variable, "")
    if not url:
        raise SourceMissing(f"{variable} is not set")
    return url
