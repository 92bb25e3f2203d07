"""PostgreSQL and RabbitMQ of one test alone, with the settings that it needs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from sandbox.servers.private.postgres import (
    PostgresPrograms,
    PrivatePostgres,
    installed_postgres,
    unpacked_postgres,
)
from sandbox.servers.private.rabbitmq import (
    PrivateRabbitmq,
    RabbitmqPrograms,
    installed_rabbitmq,
    unpacked_rabbitmq,
)
from sandbox.servers.server import SourceMissing


def postgres_programs() -> PostgresPrograms:
    """Return an installed PostgreSQL, or one that is unpacked."""
    try:
        return installed_postgres()
    except SourceMissing:
        return unpacked_postgres()


def rabbitmq_programs() -> RabbitmqPrograms:
    """Return an installed RabbitMQ, or one that is unpacked."""
    try:
        return installed_rabbitmq()
    except SourceMissing:
        return unpacked_rabbitmq()


@contextlib.asynccontextmanager
async def private_postgres(
    folder: Path, *, certificate: Path | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[PrivatePostgres]:
    """Yield a server that answers; remove it with its data at the end."""
    server = PrivatePostgres(postgres_programs(), folder, certificate=certificate, settings=settings)
    try:
        await asyncio.to_thread(server.launch)
        await asyncio.to_thread(server.wait_ready)
        yield server
    finally:
        await asyncio.to_thread(server.remove)


@contextlib.asynccontextmanager
async def private_rabbitmq(
    folder: Path, *, certificate: Path | None = None, with_management: bool = False
) -> AsyncIterator[PrivateRabbitmq]:
    """Yield a node that answers; remove it with its data at the end."""
    server = PrivateRabbitmq(
        rabbitmq_programs(), folder, certificate=certificate, with_management=with_management
    )
    try:
        await asyncio.to_thread(server.launch)
        await asyncio.to_thread(server.wait_ready)
        yield server
    finally:
        await asyncio.to_thread(server.remove)
