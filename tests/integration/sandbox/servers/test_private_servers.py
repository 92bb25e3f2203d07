"""Private servers keep what they confirmed, and leave nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from eventually import eventually

from sandbox.servers.private import postgres
from sandbox.servers.private.children import free_ports
from sandbox.servers.server import PRIVATE_SOURCES, ServersUnavailable
from sandbox.servers.start import find_server, start_servers

CHECKOUT = Path(__file__).parents[4]


@pytest.fixture
def temporary_place() -> Iterator[Path]:
    """Make an empty folder that PostgreSQL's account may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def _start_beside(script: str, temporary_place: Path) -> subprocess.Popen[str]:
    sources = ("--from", "installed", "--from", "unpacked")
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox.servers", *sources, "--", "sh", "-c", script],
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(temporary_place)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def _ask(url: str, *statements: str) -> object:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=5)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


async def test_what_postgresql_confirmed_is_there_after_a_kill() -> None:
    """A power cut loses no committed row, and the address stays."""
    servers = await asyncio.to_thread(start_servers, rabbitmq=False, sources=PRIVATE_SOURCES)
    with servers:
        url = servers.postgres_url
        fsync = await _ask(url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42)", "SHOW fsync")

        await asyncio.to_thread(servers.postgres.kill)
        with pytest.raises(ConnectionRefusedError):
            await _ask(url, "SELECT 1")
        await asyncio.to_thread(servers.postgres.start)

        assert fsync == "on"
        assert await _ask(url, "SELECT n FROM kept") == 42


async def test_all_listens_on_loopback_and_is_gone_soon_after_its_parent_was_killed(
    temporary_place: Path,
) -> None:
    """No process, no port, no file is left after a killed test run."""
    parent = _start_beside("echo $TEST_POSTGRES_URL; exec sleep 60", temporary_place)
    assert parent.stdout is not None
    url = (await asyncio.to_thread(parent.stdout.readline)).strip()
    assert await _ask(url, "SELECT 1") == 1
    # RabbitMQ's start and PostgreSQL also run helpers that come and go.
    family = [process for process in psutil.Process(parent.pid).children(recursive=True) if _runs(process)]
    assert {"sleep", "epmd", "beam.smp", "postgres"} <= {_name(process) for process in family}
    assert {address for process in family for address in _listening(process)} <= {"127.0.0.1", "::1"}

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    await eventually(lambda: not [process for process in family if _runs(process)])
    await eventually(lambda: not list(temporary_place.iterdir()))


def test_a_port_that_was_taken_meanwhile_is_replaced(
    monkeypatch: pytest.MonkeyPatch, temporary_place: Path
) -> None:
    """Another process may take a port between choosing and listening."""
    with start_servers(rabbitmq=False, sources=("installed", "unpacked")) as others:
        taken = int(others.postgres_url.rpartition(":")[2].partition("/")[0])
        choices = iter([[taken], free_ports(1)])
        monkeypatch.setattr(postgres, "free_ports", lambda _count: next(choices))
        server = find_server("postgres", ("installed", "unpacked"), temporary_place / "postgres")
        try:
            server.launch()
            server.wait_ready()
        finally:
            server.remove()
    assert str(taken) not in server.url


def test_an_external_server_cannot_be_killed(
    monkeypatch: pytest.MonkeyPatch, postgres_server_url: str
) -> None:
    """It belongs to its owner."""
    monkeypatch.setenv("TEST_POSTGRES_URL", postgres_server_url)

    with start_servers(rabbitmq=False) as servers:
        with pytest.raises(ServersUnavailable, match="was given in TEST_POSTGRES_URL and cannot be killed"):
            servers.postgres.kill()

        assert servers.postgres_url == postgres_server_url


def _name(process: psutil.Process) -> str | None:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return None


def _listening(process: psutil.Process) -> list[str]:
    try:
        connections = process.net_connections()
    except psutil.NoSuchProcess:
        return []
    return [connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
