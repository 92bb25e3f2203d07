"""The process that owns the servers: `start_servers` runs it and speaks to it over its standard streams.

It has four reasons to be a process of its own. The kernel ends the servers when the thread that started them
ends, and this one's main thread lives exactly as long as they shall. It sees its parent's death as the end of
its standard input, however the parent dies, and then removes servers, containers and the temporary folder.
A Control-C at the terminal does not reach it. And testcontainers' settings stay in its environment.

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
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox.servers.choice import KINDS, SOURCES, Kind
from sandbox.servers.errors import ServersUnavailable
from sandbox.servers.private.rabbitmq import PrivateRabbitmq
from sandbox.servers.private.run_folder import make_run_folder
from sandbox.servers.progress import say
from sandbox.servers.server import Server
from sandbox.servers.sources import find_server


def main() -> None:
    """Start the servers named by the arguments (`rabbitmq,postgres given,docker`), obey, and clean up."""
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
        if server.origin != "given":
            say(f"starting {server.title} ({server.origin}) ...")
        server.launch()
    # PostgreSQL, the quicker one, is waited for last: by then it is long there.
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
                if not isinstance(server, PrivateRabbitmq):
                    return {"error": f"only a private RabbitMQ can {what}, this one is {server.origin}"}
                server.alarm(raised=what == "raise_alarm")
    except ServersUnavailable as failure:
        return {"error": str(failure)}
    return {}


def _read_orders(orders: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        orders.put(line)
    # The parent closed the pipe or died. Whatever the main thread waits for, a signal to it ends the wait.
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


if __name__ == "__main__":
    main()
