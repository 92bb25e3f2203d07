"""Probes of a server, with the product's own drivers."""

import asyncio
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import aio_pika
import asyncpg

from sandbox.servers.errors import StartFailed
from sandbox.servers.private.children import POLL_SECONDS

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
