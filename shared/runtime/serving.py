"""An ASGI server in the running event loop that leaves the process's signals alone."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

from shared.settings.settings import SettingsError

BACKLOG = 2048


def bind(host: str, port: int, *, setting: str, host_setting: str | None = None) -> socket.socket:
    """Return a bound socket that refuses connections until a server listens; port 0 takes a free one.

    So a proxy tries another process instead of waiting for the start of this one. Raises SettingsError, which
    names the port's `setting` or the host's (environment variables; None: the host is not for choice).
    """
    other_host = "" if host_setting is None else f" Set {host_setting} to an address of this machine."
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"Cannot listen on {host}: {error.strerror or error}.{other_host}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        remedy = f" Set {setting} to another port (0: a free one)."
        if error.errno == errno.EADDRNOTAVAIL:
            remedy = other_host
        raise SettingsError(f"Cannot listen on {host}:{port}: {error.strerror}.{remedy}") from error
    listening.setblocking(False)
    return listening


def listen(host: str, port: int, *, setting: str, host_setting: str | None = None) -> socket.socket:
    """Return a socket on which connections wait until a server takes them. Raises SettingsError as `bind`."""
    listening = bind(host, port, setting=setting, host_setting=host_setting)
    listening.listen(BACKLOG)
    return listening


def port_of(listening: socket.socket) -> int:
    """Return the actual port of a listening socket."""
    port: int = listening.getsockname()[1]
    return port


@contextlib.asynccontextmanager
async def serving(
    app: Any, listening: socket.socket, *, drain_seconds: float, **options: Any
) -> AsyncIterator[None]:
    """Listen and serve `app` while the block runs; then finish its requests for at most `drain_seconds`.

    `options` go to uvicorn's Config. The composition root handles signals. The socket is closed at the end.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        interface="asgi3",
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
        **{"lifespan": "off", **options},
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="http server")
    started = asyncio.create_task(server.is_up.wait())
    try:
        await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        started.cancel()
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, which would replace ours for SIGTERM."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()
