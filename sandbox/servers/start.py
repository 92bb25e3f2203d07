"""Start of the servers for a program, a test session or a benchmark.

with start_servers() as servers:
    connect(servers.amqp_url, servers.postgres_url)
    servers.rabbitmq.kill()
    servers.rabbitmq.start()
"""

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.servers.external import external_postgres, external_rabbitmq
from sandbox.servers.private.postgres import PrivatePostgres, installed_postgres, unpacked_postgres
from sandbox.servers.private.rabbitmq import PrivateRabbitmq, installed_rabbitmq, unpacked_rabbitmq
from sandbox.servers.server import (
    AMQP_VARIABLE,
    KINDS,
    POSTGRES_VARIABLE,
    SOURCES,
    Kind,
    Server,
    ServersUnavailable,
    Source,
    SourceMissing,
    say,
)

ADVICE: dict[Kind, str] = {
    "rabbitmq": f"start one and set {AMQP_VARIABLE}=amqp://user:password@host:5672/",
    "postgres": f"start one and set {POSTGRES_VARIABLE}=postgresql://user:password@host:5432/database",
}


def find_server(kind: Kind, sources: tuple[Source, ...], folder: Path) -> Server:
    """Return the server from the first of these sources that exists here, not launched yet.

    A private server keeps its data in `folder`. Raises ServersUnavailable where no source exists; the message
    names each with what it lacks.
    """
    closed = []
    for source in SOURCES:
        if source not in sources:
            continue
        try:
            return _WAYS[kind][source](folder)
        except SourceMissing as missing:
            if source == "docker" and _an_engine_may_answer():
                say(f"not in Docker: {missing}")
            closed.append(f"  {source:<10} {missing}")
    raise ServersUnavailable(
        f"No {kind} found:\n" + "\n".join(closed) + f"\nProvide one of these, or {ADVICE[kind]}"
    )


def _external(find: Callable[[], Server], _folder: Path) -> Server:
    return find()


def _docker(function: str, _folder: Path) -> Server:
    if not _an_engine_may_answer():
        raise SourceMissing("no Docker engine: no DOCKER_HOST and no docker.sock in the usual places")
    try:
        containers = importlib.import_module("sandbox.servers.containers")
    except ModuleNotFoundError as error:
        raise SourceMissing(f"the Python package {error.name} is not installed") from error
    server: Server = getattr(containers, function)()
    return server


def _an_engine_may_answer() -> bool:
    """Return whether a Docker socket exists; it spares two seconds of imports on a machine without Docker."""
    places = [Path("/var/run"), Path.home() / ".docker/run", Path.home() / ".docker/desktop"]
    if "XDG_RUNTIME_DIR" in os.environ:
        places.append(Path(os.environ["XDG_RUNTIME_DIR"]))
    return "DOCKER_HOST" in os.environ or any((place / "docker.sock").exists() for place in places)


_WAYS: dict[Kind, dict[Source, Callable[[Path], Server]]] = {
    "rabbitmq": {
        "external": partial(_external, external_rabbitmq),
        "docker": partial(_docker, "container_rabbitmq"),
        "installed": lambda folder: PrivateRabbitmq(installed_rabbitmq(), folder),
        "unpacked": lambda folder: PrivateRabbitmq(unpacked_rabbitmq(), folder),
    },
    "postgres": {
        "external": partial(_external, external_postgres),
        "docker": partial(_docker, "container_postgres"),
        "installed": lambda folder: PrivatePostgres(installed_postgres(), folder),
        "unpacked": lambda folder: PrivatePostgres(unpacked_postgres(), folder),
    },
}


GOODBYE_SECONDS = 60.0


class RunningServer:
    """One of the servers; its address and its data stay over `kill`, `stop` and `start`.

    Calls block, may come from any thread (a coroutine uses `asyncio.to_thread`), and raise ServersUnavailable
    for an external server.
    """

    def __init__(self, kind: Kind, url: str, owner: "_Owner") -> None:
        self.url = url
        self._kind = kind
        self._owner = owner

    def kill(self) -> None:
        """End the server as a power cut would; a quorum queue survives if it is older than two seconds."""
        self._owner.order(self._kind, "kill")

    def stop(self) -> None:
        """End the server in order."""
        self._owner.order(self._kind, "stop")

    def start(self) -> None:
        """Start the server again on its data; return when it answers."""
        self._owner.order(self._kind, "start")

    def raise_alarm(self) -> None:
        """Raise a private RabbitMQ's memory alarm until `clear_alarm`; others raise ServersUnavailable."""
        self._owner.order(self._kind, "raise_alarm")

    def clear_alarm(self) -> None:
        """Clear RabbitMQ's memory alarm."""
        self._owner.order(self._kind, "clear_alarm")


class Servers:
    """The running servers; leaving the `with` block, or `stop()`, removes them with their data."""

    def __init__(self, owner: "_Owner", urls: dict[Kind, str]) -> None:
        self._owner = owner
        self._running = {kind: RunningServer(kind, url, owner) for kind, url in urls.items()}

    @property
    def rabbitmq(self) -> RunningServer:
        return self._running["rabbitmq"]

    @property
    def postgres(self) -> RunningServer:
        return self._running["postgres"]

    @property
    def amqp_url(self) -> str:
        """Return `amqp://guest:guest@127.0.0.1:PORT/`, or TEST_AMQP_URL."""
        return self.rabbitmq.url

    @property
    def postgres_url(self) -> str:
        """Return `postgresql+asyncpg://USER@127.0.0.1:PORT/postgres` (superuser), or TEST_POSTGRES_URL."""
        return self.postgres.url

    def stop(self) -> None:
        """End and remove all started servers; return when they are gone."""
        self._owner.dismiss()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_servers(
    *, rabbitmq: bool = True, postgres: bool = True, sources: tuple[Source, ...] = SOURCES
) -> Servers:
    """Find or start the servers and return when they answer, after about seven seconds.

    Progress goes to standard error. The servers end with this process, however it ends. Raises
    ServersUnavailable.
    """
    wanted: dict[Kind, bool] = {"rabbitmq": rabbitmq, "postgres": postgres}
    owner = _Owner([kind for kind in KINDS if wanted[kind]], sources)
    try:
        greeting = owner.answer()
    except BaseException:
        owner.dismiss()
        raise
    return Servers(owner, greeting["urls"])


class _Owner:
    """This side of the pipes to owner.py."""

    def __init__(self, kinds: list[Kind], sources: tuple[Source, ...]) -> None:
        self._one_at_a_time = threading.Lock()
        import_path = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.servers.owner", ",".join(kinds), ",".join(sources)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, import_path))},
            start_new_session=True,
        )

    def order(self, kind: Kind, what: str) -> None:
        with self._one_at_a_time:
            self._input.write(json.dumps({"server": kind, "do": what}) + "\n")
            self._input.flush()
            self.answer()

    def answer(self) -> dict[str, Any]:
        line = self._output.readline()
        if not line:
            raise ServersUnavailable(f"the process that owns the servers ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ServersUnavailable(answer["error"])
        return answer

    def dismiss(self) -> None:
        self._input.close()
        try:
            self._process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the kernel ends the servers with it
            raise
        finally:
            self._output.close()

    @property
    def _input(self) -> Any:
        return self._process.stdin

    @property
    def _output(self) -> Any:
        return self._process.stdout
