"""Clients for posts to receivers of a test, with names that only the test knows."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

from notifier_worker.http.client import Answer, HttpClient
from shared.network.dns import Lookup
from shared.network.hosts import Address
from shared.network.targets import AddressPolicy

#: Opens the loopback for a receiver that is to be reached.
LOOPBACK = AddressPolicy((ip_network("127.0.0.0/8"),), allow_http=True)


def names(**table: Sequence[str]) -> Lookup:
    """Return a look-up from the table, where `_` in a name stands for its dot."""

    async def lookup(host: str) -> Sequence[Address]:
        return [ip_address(address) for address in table.get(host.replace(".", "_"), ())]

    return lookup


@asynccontextmanager
async def client(
    policy: AddressPolicy = LOOPBACK,
    lookup: Lookup | None = None,
    *,
    ssl_context: ssl.SSLContext | None = None,
    connect_timeout_seconds: float = 30,
    idle_seconds: float = 60,
    max_connections: int = 200,
) -> AsyncIterator[HttpClient]:
    """Return a client; its time limits are wide unless a test is about them."""
    http = HttpClient(
        policy,
        lookup or names(),
        ssl_context=ssl_context,
        name_timeout_seconds=30,
        connect_timeout_seconds=connect_timeout_seconds,
        idle_seconds=idle_seconds,
        max_connections=max_connections,
    )
    try:
        yield http
    finally:
        await http.aclose()


async def post(http: HttpClient, url: str, timeout_seconds: float = 30) -> Answer:
    """Post a small event."""
    return await http.post(url, {"Content-Type": "application/json"}, b'{"type":"x"}', timeout_seconds)
