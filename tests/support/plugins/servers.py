"""Pytest plugin with the RabbitMQ and PostgreSQL of a run: given by the environment, else started.

`python -m sandbox.servers -- pytest ...` gives them. Plain `pytest` starts each when a test first asks for
it. `pytest -n auto` starts both before its workers, which inherit the addresses, unless only tests are named
that need none.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.servers.server import AMQP_VARIABLE, POSTGRES_VARIABLE, PRIVATE_SOURCES, ServersUnavailable
from sandbox.servers.start import RunningServer, Servers, start_servers

WITHOUT_SERVERS = ("tests/unit", "tests/simulation")


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers of a parallel run in the process that outlives its workers."""
    if not _starts_workers(config) or not _may_need_servers(config):
        return
    try:
        with _shown_progress(config):
            servers = start_servers()
    except ServersUnavailable as failure:
        raise pytest.UsageError(str(failure)) from failure
    config.add_cleanup(servers.stop)
    os.environ[AMQP_VARIABLE] = servers.amqp_url
    os.environ[POSTGRES_VARIABLE] = servers.postgres_url


@pytest.fixture(scope="session")
def amqp_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """Return the broker that all tests share; each uses an `amqp_prefix` of its own and must not stop it."""
    if _is_worker(pytestconfig):
        yield os.environ[AMQP_VARIABLE]
        return
    with _started(pytestconfig, rabbitmq=True, postgres=False) as servers:
        yield servers.amqp_url


@pytest.fixture
def amqp_prefix() -> str:
    """Return the prefix of this test's queues and exchanges."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return f"t-{worker}-{secrets.token_hex(4)}."


@pytest.fixture(scope="session")
def postgres_server_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """Return the server that all tests share: it may create databases."""
    if _is_worker(pytestconfig):
        yield os.environ[POSTGRES_VARIABLE]
        return
    with _started(pytestconfig, rabbitmq=False, postgres=True) as servers:
        yield servers.postgres_url


@pytest.fixture
def own_broker() -> Iterator[RunningServer]:
    """Start a broker of this test's own, which it may kill, stop and start again; takes six seconds."""
    with start_servers(postgres=False, sources=PRIVATE_SOURCES) as servers:
        yield servers.rabbitmq


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _starts_workers(config: pytest.Config) -> bool:
    return not _is_worker(config) and bool(config.getoption("tx", None)) and not config.option.collectonly


def _may_need_servers(config: pytest.Config) -> bool:
    quiet = [config.rootpath / folder for folder in WITHOUT_SERVERS]
    named = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    return not all(any(_is_below(path, folder) for folder in quiet) for path in named)


def _is_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


@contextmanager
def _started(config: pytest.Config, *, rabbitmq: bool, postgres: bool) -> Iterator[Servers]:
    try:
        with _shown_progress(config):
            servers = start_servers(rabbitmq=rabbitmq, postgres=postgres)
    except ServersUnavailable as failure:
        raise pytest.fail.Exception(str(failure), pytrace=False) from None
    with servers:
        yield servers


@contextmanager
def _shown_progress(config: pytest.Config) -> Iterator[None]:
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    with capture.global_and_fixture_disabled():
        yield
