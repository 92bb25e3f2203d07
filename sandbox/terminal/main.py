"""Composition root of the virtual terminal's process."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import httpx
import uvloop

from sandbox.terminal.gateway.link import Gateway, HttpGateway
from sandbox.terminal.server.server import VirtualTerminal
from sandbox.terminal.web.app import make_terminal_app
from shared.runtime.serving import port_of, serving

#: Longer than the chain behind a gateway may take.
_GATEWAY_TIMEOUT_SECONDS: Final = 30.0
_SCREEN_DRAIN_SECONDS: Final = 1.0


class CannotListen(Exception):
    """Raised where the terminal's or its screen's port cannot be opened."""


def run(
    make_terminal: Callable[[Gateway | None], VirtualTerminal],
    *,
    gateway_url: str | None = None,
    screen: tuple[str, int] | None = None,
    on_listening: Callable[[str, int], None] | None = None,
    on_screen: Callable[[str, int], None] | None = None,
) -> None:
    """Run one terminal until SIGTERM or SIGINT.

    gateway_url: gateway of authorisations and collections; None: the terminal acts as the bank.
    screen: host and port of its screen and control API over HTTP; None: none, port 0 takes a free one.
    on_listening: called with host and port once connections are taken; on_screen likewise.

    Raises CannotListen.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(make_terminal, gateway_url, screen, on_listening, on_screen))


async def _serve(
    make_terminal: Callable[[Gateway | None], VirtualTerminal],
    gateway_url: str | None,
    screen: tuple[str, int] | None,
    on_listening: Callable[[str, int], None] | None,
    on_screen: Callable[[str, int], None] | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
            stack.callback(loop.remove_signal_handler, number)
        gateway = None
        if gateway_url is not None:
            client = await stack.enter_async_context(
                httpx.AsyncClient(timeout=_GATEWAY_TIMEOUT_SECONDS, trust_env=False)
            )
            gateway = HttpGateway(client, gateway_url)
        terminal = make_terminal(gateway)
        try:
            await stack.enter_async_context(terminal)
        except OSError as error:
            raise CannotListen(f"{terminal.address}: {error.strerror}") from error
        if screen is not None:
            bound = await _serve_screen(stack, terminal, *screen)
            if on_screen is not None:
                on_screen(screen[0], bound)
        if on_listening is not None:
            on_listening(terminal.host, terminal.port)
        await stop.wait()


async def _serve_screen(stack: AsyncExitStack, terminal: VirtualTerminal, host: str, port: int) -> int:
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise CannotListen(f"{host}:{port}: {error.strerror}") from error
    listening.setblocking(False)
    bound = port_of(listening)
    await stack.enter_async_context(
        serving(make_terminal_app(terminal), listening, drain_seconds=_SCREEN_DRAIN_SECONDS)
    )
    # Before the server drains: its open streams would hold it up.
    stack.callback(terminal.changes.close)
    return bound
