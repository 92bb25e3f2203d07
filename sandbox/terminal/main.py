"""Composition root of the virtual terminal's process."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import uvloop

from sandbox.terminal.behaviour import Behaviour, Customer, Fault, PrivateData
from sandbox.terminal.device import Device, WhenBusy
from sandbox.terminal.server import DEFAULT_PORT, VirtualTerminal


def run(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    outcome: Customer = Customer.APPROVE,
    outcome_by_amount: Mapping[int, Customer] | None = None,
    delay_seconds: float = 3.0,
    refusal_code: str = "04",
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
    request_idle_seconds: float = 0.05,
    requires_line_end: bool = False,
    record_path: Path | None = None,
    on_listening: Callable[[str, int], None] | None = None,
) -> None:
    """Play one terminal until SIGTERM or SIGINT.

    host, port: where it listens, any 127.x.y.z for tests; port 0 takes a free one.
    outcome: what customer and bank do: `approve`, `refuse` or `abandon` (the red button).
    outcome_by_amount: another outcome for single amounts in cents, e.g. `{1300: Customer.REFUSE}`.
    delay_seconds: from the request to the customer's card; 0 answers at once.
    refusal_code: AF of a refusal, two digits.
    contactless: the card is held to the terminal (CC 00B, CI 2, `@` on the ticket).
    floor_limit_cents: above it, or where the request forces it, an authorisation is asked for.
    private_data: CF in answers: `echo`, `none`, `own`, `own_on_success`.
    keeps_open: the connection stays open after the answer; else the terminal closes it.
    when_busy: a second request is answered AE 01 at once (`answer`), or waits unread (`backlog`).
    fault: see `Fault`; for every transaction, or only for those of `fault_amount_cents`.
    piece_bytes, piece_pause_seconds: the answer is written in pieces, with pauses between them.
    shows_full_card_number: AA and ticket hold the whole (test) card number.
    sends_card_fields: AA, AI and CI are in answers; HiPay's terminals leave them out.
    request_idle_seconds: silence that ends a request without CR LF; 0: take it as soon as it is whole.
    requires_line_end: a request without CR LF is rejected for its format.
    record_path: file that gets one JSON line a session.
    on_listening: called with host and port once connections are taken.
    """
    behaviour = Behaviour(
        customer=outcome,
        delay_seconds=delay_seconds,
        contactless=contactless,
        refusal_code=refusal_code,
        fault=fault if fault_amount_cents is None else None,
        piece_bytes=piece_bytes,
        piece_pause_seconds=piece_pause_seconds,
        keeps_open=keeps_open,
        private_data=private_data,
    )
    terminal = VirtualTerminal(
        host,
        port,
        behaviour=behaviour,
        by_amount=_by_amount(behaviour, outcome_by_amount or {}, fault, fault_amount_cents),
        device=Device(
            floor_limit_cents=floor_limit_cents,
            shows_full_card_number=shows_full_card_number,
            sends_card_fields=sends_card_fields,
            when_busy=when_busy,
            request_idle_seconds=request_idle_seconds,
            requires_line_end=requires_line_end,
        ),
        record_path=record_path,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(terminal, on_listening))


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


async def _serve(terminal: VirtualTerminal, on_listening: Callable[[str, int], None] | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
            stack.callback(loop.remove_signal_handler, number)
        await stack.enter_async_context(terminal)
        if on_listening is not None:
            on_listening(terminal.host, terminal.port)
        await stop.wait()
