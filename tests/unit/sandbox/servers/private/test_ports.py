"""Ports for private servers."""

import socket
from pathlib import Path

from sandbox.servers.private.children import free_ports


def test_free_ports_differ_and_a_server_can_listen_on_all_of_them() -> None:
    """Three ports of one server must not be the same one."""
    ports = free_ports(3)

    listening = [socket.create_server(("127.0.0.1", port)) for port in ports]

    assert len({listener.getsockname()[1] for listener in listening}) == 3
    for listener in listening:
        listener.close()


def test_a_port_is_never_one_that_the_kernel_gives_to_clients() -> None:
    """Else a client that reconnects while its server is down could occupy the server's port."""
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    ports = [free_ports(1)[0] for _ in range(50)]

    assert max(ports) < first_ephemeral
