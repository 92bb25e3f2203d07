"""Starts the servers for a program, a test session or a benchmark.

with start_servers() as servers:
    connect(servers.amqp_url, servers.postgres_url)
    servers.rabbitmq.kill()
    servers.rabbitmq.start()
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.servers.choice import KINDS, SOURCES, Kind, Source
from sandbox.servers.errors import ServersUnavailable

GOODBYE_SECONDS = 60.0


class RunningServer:
    """One of the servers. Its address stays the same and its data is kept over `kill`, `stop` and `start`.

    They return when it is done, may be called from any thread, and raise ServersUnavailable for a
    server whose address was given: that one is not ours. From a coroutine call them by `asyncio.to_thread`.
    """

    def __init__(self, kind: Kind, url: str, owner: "_Owner") -> None:
        self.url = url
        self._kind = kind
        self._owner = owner

    def kill(self) -> None:
        """End it as a power cut would. A quorum queue must be older than two seconds to survive this."""
        self._owner.order(self._kind, "kill")

    def stop(self) -> None:
        """End it in order."""
        self._owner.order(self._kind, "stop")

    def start(self) -> None:
        """Start it again on its data; return when it answers."""
        self._owner.order(self._kind, "start")

    def raise_alarm(self) -> None:
        """Make a private RabbitMQ short of memory until `clear_alarm`; others raise ServersUnavailable."""
        self._owner.order(self._kind, "raise_alarm")

    def clear_alarm(self) -> None:
        """Give RabbitMQ its memory back."""
        self._owner.order(self._kind, "clear_alarm")


class Servers:
    """The running servers. Leaving the `with` block, or `stop()`, removes them and all they wrote."""

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
        """`amqp://guest:guest@127.0.0.1:PORT/`, or what TEST_AMQP_URL gave."""
        return self.rabbitmq.url

    @property
    def postgres_url(self) -> str:
        """`postgresql+asyncpg://USER@127.0.0.1:PORT/postgres` (superuser), or what TEST_POSTGRES_URL gave."""
        return self.postgres.url

    def stop(self) -> None:
        """End and remove what was started; return when all of it is gone."""
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

    Progress goes to standard error. They end with this process, however it ends. Raises ServersUnavailable
    with what is missing and what to type.
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
    """Our end of the pipes to keeper.py."""

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
            raise ServersUnavailable(f"the process that keeps the servers ended with {self._process.wait()}")
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
