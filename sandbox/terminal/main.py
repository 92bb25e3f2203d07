"""Composition root of the virtual terminal's process."""

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
import uvloop

from sandbox.terminal.device.device import DEFAULT_PORT, REQUEST_IDLE_SECONDS, Device, WhenBusy
from sandbox.terminal.gateway.collection import Schedule
from sandbox.terminal.gateway.link import Gateway, HttpGateway
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault, PrivateData
from sandbox.terminal.script.outcomes import outcome_named
from sandbox.terminal.server.server import VirtualTerminal
from sandbox.terminal.web.app import make_terminal_app
from shared.runtime.serving import port_of, serving

#: Longer than the chain behind a gateway may take.
_GATEWAY_TIMEOUT_SECONDS: Final = 30.0
_SCREEN_DRAIN_SECONDS: Final = 1.0


class CannotListen(Exception):
    """Raised where the terminal's or its screen's port cannot be opened."""


def run(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    screen_host: str = "127.0.0.1",
    screen_port: int | None = None,
    outcome: Customer = Customer.APPROVE,
    outcome_by_amount: Mapping[int, Customer] | None = None,
    behaviours: Sequence[str] = (),
    amount_decides: bool = False,
    by_hand: bool = False,
    delay_seconds: float = 3.0,
    refusal_code: str = "04",
    card: str | None = None,
    contactless: bool = False,
    floor_limit_cents: int = 3000,
    private_data: PrivateData = "echo",
    keeps_open: bool = False,
    when_busy: WhenBusy = "answer",
    fault: Fault | None = None,
    fault_amount_cents: int | None = None,
    piece_bytes: int | None = None,
    piece_pause_seconds: float = 0.0,
    shows_full_card_number: bool = False,
    sends_card_fields: bool = True,
    request_idle_seconds: float = REQUEST_IDLE_SECONDS,
    requires_line_end: bool = False,
    terminal_time_seconds: float = 240.0,
    serial: str | None = None,
    gateway_url: str | None = None,
    schedule: Schedule | None = None,
    record_path: Path | None = None,
    on_listening: Callable[[str, int], None] | None = None,
    on_screen: Callable[[str, int], None] | None = None,
) -> None:
    """Run one terminal until SIGTERM or SIGINT.

    host, port: address of the terminal, any 127.x.y.z for tests; port 0 takes a free one.
    screen_host, screen_port: its screen and control API over HTTP; None: none, port 0 takes a free one.
    outcome: action of customer and bank: `approve`, `refuse` or `abandon` (the red key).
    outcome_by_amount: another outcome for single amounts in cents, e.g. `{1300: Customer.REFUSE}`.
    behaviours: rows of the table of outcomes, by name, for every transaction; later ones win.
    amount_decides: the last two digits of other amounts choose from that table.
    by_hand: somebody presents cards and presses keys on the screen; else the customer acts by itself.
    delay_seconds: from the request to the customer's card; 0 answers at once.
    refusal_code: AF of a refusal, two digits.
    card: the customer's card, a key of the deck.
    contactless: the card is held to the terminal (CC 00B, CI 2, `@` on the receipt).
    floor_limit_cents: above it, or where the request forces it, an authorisation is asked for.
    private_data: CF in answers: `echo`, `none`, `own`, `own_on_success`.
    keeps_open: the connection stays open after the answer; else the terminal closes it.
    when_busy: a second request is answered AE 01 at once (`answer`), or waits unread (`backlog`).
    fault: see `Fault`; for every transaction, or only for those of `fault_amount_cents`.
    piece_bytes, piece_pause_seconds: the answer is written in pieces, with pauses between them.
    shows_full_card_number: AA and receipt hold the whole (test) card number.
    sends_card_fields: AA, AI and CI are in answers; HiPay's terminals leave them out.
    request_idle_seconds: silence that ends a request without CR LF; 0: take it as soon as it is whole.
    requires_line_end: a request without CR LF is rejected for its format.
    terminal_time_seconds: time without a customer after which the transaction is given up.
    serial: the terminal's serial number, as its gateway knows it; None: the usual one.
    gateway_url: gateway of authorisations and collections; None: the terminal acts as the bank.
    schedule: times of automatic collections; None: never.
    record_path: file that gets one JSON line a session.
    on_listening: called with host and port once connections are taken; on_screen likewise.

    Raises CannotListen, and UnknownOutcome for a behaviour that is not in the table.
    """
    behaviour = Behaviour(
        customer=outcome,
        delay_seconds=delay_seconds,
        contactless=contactless,
        card=card,
        refusal_code=refusal_code,
        fault=fault if fault_amount_cents is None else None,
        piece_bytes=piece_bytes,
        piece_pause_seconds=piece_pause_seconds,
        keeps_open=keeps_open,
        private_data=private_data,
        amount_decides=amount_decides,
    )
    for name in behaviours:
        behaviour = outcome_named(name).applied_to(behaviour)
    device = Device(
        floor_limit_cents=floor_limit_cents,
        shows_full_card_number=shows_full_card_number,
        sends_card_fields=sends_card_fields,
        when_busy=when_busy,
        request_idle_seconds=request_idle_seconds,
        requires_line_end=requires_line_end,
        terminal_time_seconds=terminal_time_seconds,
    )

    def make_terminal(gateway: Gateway | None) -> VirtualTerminal:
        return VirtualTerminal(
            host,
            port,
            behaviour=behaviour,
            by_amount=_by_amount(behaviour, outcome_by_amount or {}, fault, fault_amount_cents),
            device=device if serial is None else replace(device, serial=serial),
            gateway=gateway,
            by_hand=by_hand,
            schedule=schedule,
            record_path=record_path,
        )

    screen = None if screen_port is None else (screen_host, screen_port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(make_terminal, gateway_url, screen, on_listening, on_screen))


def _by_amount(
    usual: Behaviour,
    outcomes: Mapping[int, Customer],
    fault: Fault | None,
    fault_amount_cents: int | None,
) -> dict[int, Behaviour]:
    chosen = {amount: replace(usual, customer=customer) for amount, customer in outcomes.items()}
    if fault_amount_cents is not None:
        chosen[fault_amount_cents] = replace(chosen.get(fault_amount_cents, usual), fault=fault)
    return chosen


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
