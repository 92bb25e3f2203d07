"""CPU time of processes and servers."""

import os
import socket
import subprocess
import sys
import time

import pytest

from bench.measures.cpu import CpuMeter, server_roots, tree_seconds
from bench.system import Servers

#: CPU time that a process takes in the tests.
BURNT_SECONDS = 0.2


def burn() -> None:
    ends_at = time.process_time() + BURNT_SECONDS
    while time.process_time() < ends_at:
        sum(range(1000))


def test_only_the_time_from_begin_to_end_is_counted() -> None:
    """The peers' turns cost a payment nothing."""
    meter = CpuMeter({"API": os.getpid()})
    meter.begin()
    burn()
    meter.end()
    burn()
    spent = meter.seconds["API"]

    assert BURNT_SECONDS * 0.8 <= spent < BURNT_SECONDS * 1.95
    each = meter.milliseconds_each(100)
    assert each == pytest.approx({"API": spent * 10, "all": spent * 10})


def test_a_child_that_has_ended_is_counted() -> None:
    """A database's process for one connection may end within the measurement."""
    code = f"import time\nwhile time.process_time() < {BURNT_SECONDS}: pass"
    before = tree_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", code], check=True)

    assert tree_seconds(os.getpid()) - before >= BURNT_SECONDS * 0.8


def test_a_proxy_in_front_of_a_server_is_not_taken_for_it() -> None:
    """Docker's proxy listens on the port of a server in a container; its CPU time is not the server's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        assert server_roots(Servers(f"amqp://127.0.0.1:{port}/", f"postgresql://127.0.0.1:{port}/x")) == {}
