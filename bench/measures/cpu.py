"""CPU time (user and system) of the measured processes and of the servers that they use."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import psutil
from sqlalchemy.engine import make_url

from bench.system import Servers

#: Names of the processes that listen; behind another one, such as Docker's proxy, the server is not visible.
RABBITMQ: Final = "beam.smp"
POSTGRESQL: Final = "postgres"


@dataclass
class CpuMeter:
    """CPU time by process, from each `begin` to its `end`, added up."""

    #: The root of each measured tree of processes.
    roots: Mapping[str, int]
    seconds: dict[str, float] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        self._begun = {name: tree_seconds(pid) for name, pid in self.roots.items()}

    def end(self) -> None:
        for name, pid in self.roots.items():
            spent = tree_seconds(pid) - self._begun[name]
            self.seconds[name] = self.seconds.get(name, 0.0) + spent

    def milliseconds_each(self, number: int) -> dict[str, float]:
        """Return the CPU milliseconds by process for each of `number` payments, and their sum as `all`."""
        each = {name: seconds * 1000 / number for name, seconds in self.seconds.items()}
        return {**each, "all": sum(each.values())}


def tree_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, of its living descendants and of all ended children."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def server_roots(servers: Servers) -> dict[str, int]:
    """Return the pids of those servers whose processes are visible here; one in a container is not."""
    found = {
        "RabbitMQ": _listening(make_url(servers.amqp_url).port or 5672, RABBITMQ),
        "PostgreSQL": _listening(make_url(servers.postgres_url).port or 5432, POSTGRESQL),
    }
    return {title: pid for title, pid in found.items() if pid is not None}


def _listening(port: int, name: str) -> int | None:
    """Return the pid of the process of this name that listens on a port."""
    for connection in psutil.net_connections("tcp"):
        is_listener = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
        if is_listener and connection.pid is not None and psutil.Process(connection.pid).name() == name:
            return connection.pid
    return None
