"""The process that owns the servers: `start_servers` runs it and commands it over its standard streams.

It is a process of its own for four reasons. The kernel ends the servers when the thread that started them
ends, and this process's main thread lives as long as they shall. Its standard input ends with its parent,
however the parent dies, and it then removes servers, containers and the temporary folder. A Control-C at the
terminal does not reach it. And testcontainers' settings stay in its environment.

Each line in, `{"server": "rabbitmq", "do": "kill"}` (or `stop`, `start`, `raise_alarm`, `clear_alarm`), gets
one line out: `{}` or `{"error": "..."}`. The first line out is `{"urls": {"rabbitmq": "amqp://..."}}` or an
error.
"""

import json
import logging
import os
import queue
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox.servers.server import KINDS, SOURCES, Broker, Kind, Server, ServersUnavailable, say
from sandbox.servers.start import find_server


def main() -> None:
    """Start the servers of the arguments (`rabbitmq,postgres external,docker`), obey orders, clean up."""
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    logging.getLogger("aio_pika").setLevel(logging.CRITICAL)
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
    os.environ["TESTCONTAINERS_CONNECTION_MODE"] = "docker_host"
    kinds = tuple(kind for kind in KINDS if kind in sys.argv[1].split(","))
    sources = tuple(source for source in SOURCES if source in sys.argv[2].split(","))

    signal.signal(signal.SIGTERM, _leave)
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    folder = make_run_folder()
    servers: dict[Kind, Server] = {}
    try:
        threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
        for kind in kinds:
            servers[kind] = find_server(kind, sources, folder / kind)
        _start(servers)
        _answer({"urls": {kind: server.url for kind, server in servers.items()}})
        while True:
            _answer(_obey(servers, orders.get()))
    except ServersUnavailable as failure:
        _answer({"error": str(failure)})
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _clean_up(servers, folder)


def _start(servers: dict[Kind, Server]) -> None:
    began = time.monotonic()
    for server in servers.values():
        if server.origin != "external":
            say(f"starting {server.title} ({server.origin}) ...")
        server.launch()
    # PostgreSQL, which starts faster, is waited for last.
    for server in servers.values():
        server.wait_ready()
        say(f"{server.title} answers after {time.monotonic() - began:.1f} s at {server.url}")


def _obey(servers: dict[Kind, Server], line: str) -> dict[str, str]:
    order = json.loads(line)
    server = servers[order["server"]]
    try:
        match order["do"]:
            case "kill":
                server.kill()
            case "stop":
                server.stop()
            case "start":
                server.launch()
                server.wait_ready()
            case "raise_alarm" | "clear_alarm" as what:
                if not isinstance(server, Broker):
                    return {"error": f"only a RabbitMQ of our own can {what}, this server is {server.origin}"}
                server.alarm(raised=what == "raise_alarm")
    except ServersUnavailable as failure:
        return {"error": str(failure)}
    return {}


def _read_orders(orders: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        orders.put(line)
    # The parent closed the pipe or died. The signal ends whatever the main thread waits for.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _leave(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _answer(answer: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _clean_up(servers: dict[Kind, Server], folder: Path) -> None:
    for server in servers.values():
        try:
            server.remove()
        except Exception as error:
            say(f"{server.title} could not be removed: {error}")
    shutil.rmtree(folder, ignore_errors=True)


def make_run_folder() -> Path:
    """Make and return a new temporary folder that PostgreSQL can use too, which never runs as root."""
    place = Path(tempfile.gettempdir()).resolve()
    is_root = os.geteuid() == 0
    if is_root and not all(folder.stat().st_mode & stat.S_IXOTH for folder in (place, *place.parents)):
        place = Path("/tmp")  # nosec B108 # noqa: S108 - mkdtemp makes a folder of its own there
    folder = Path(tempfile.mkdtemp(prefix="cloud-terminal-servers-", dir=place))
    if is_root:
        folder.chmod(0o711)
    return folder


if __name__ == "__main__":
    main()
