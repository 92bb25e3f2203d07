"""The machine and the versions that a result was measured with."""

import os
import platform
from importlib.metadata import version

import aio_pika
import asyncpg
import psutil
from sqlalchemy.engine import make_url

from bench.system import Servers

#: Packages that decide about speed.
_PACKAGES = ("aio-pika", "asyncpg", "fastapi", "sqlalchemy", "uvloop", "celery", "faststream")


async def surroundings(servers: Servers) -> dict[str, str]:
    """Return cores, memory and the versions of servers and packages."""
    found = {
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "Python": platform.python_version(),
        "PostgreSQL": await _postgres_version(servers.postgres_url),
        "RabbitMQ": await _rabbitmq_version(servers.amqp_url),
    }
    for package in _PACKAGES:
        found[package] = _package_version(package)
    return {name: value for name, value in found.items() if value}


def _package_version(package: str) -> str:
    """Return a package's version; nothing for one that is not installed here."""
    try:
        return version(package)
    except ModuleNotFoundError:
        return ""


async def _postgres_version(postgres_url: str) -> str:
    url = make_url(postgres_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False), timeout=10)
    try:
        return str(await connection.fetchval("SHOW server_version")).split()[0]
    finally:
        await connection.close()


async def _rabbitmq_version(amqp_url: str) -> str:
    async with await aio_pika.connect(amqp_url) as connection:
        transport = connection.transport
        assert transport is not None
        return str(transport.connection.server_properties["version"])
