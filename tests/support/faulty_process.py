"""Runs one of our processes with a fault at a named step: there it sends itself a signal, once.

`python -m tests.support.faulty_process terminal-worker after_write SIGKILL`: the product's own command, with
the function around that step wrapped; the product has no switch for it. The step `held_back` of a worker is
no fault: it begins to take payments only at SIGUSR1, so that a test knows which worker has a payment.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

FAULT_LINE: Final = "the fault is now"


class Fault:
    """Sends the signal when its step is reached for the first time; the log has a line right before."""

    def __init__(self, step: str, number: signal.Signals) -> None:
        self._step = step
        self._number = number
        self._is_over = False

    def strike(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        sys.stdout.write(json.dumps({"event": FAULT_LINE, "step": self._step}) + "\n")
        sys.stdout.flush()
        os.kill(os.getpid(), self._number)


Wrapper = Callable[..., Any]


def _before(owner: Any, name: str, fault: Fault) -> None:
    """Strike when the function is called, before it does anything."""
    inner = getattr(owner, name)

    @wraps(inner)
    def struck(*given: Any, **named: Any) -> Any:
        fault.strike()
        return inner(*given, **named)

    setattr(owner, name, struck)


def _after(owner: Any, name: str, fault: Fault, *, once: Callable[[Any], bool] = lambda _: True) -> None:
    """Strike when the coroutine has come to its end with a result that counts."""
    inner: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @wraps(inner)
    async def struck(*given: Any, **named: Any) -> Any:
        result = await inner(*given, **named)
        if once(result):
            fault.strike()
        return result

    setattr(owner, name, struck)


def _once_sent(owner: Any, name: str, fault: Fault) -> None:
    """Strike when this is called and what was written before has left: the event loop sends it in between."""
    inner: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @wraps(inner)
    async def struck(*given: Any, **named: Any) -> Any:
        for _ in range(3):
            await asyncio.sleep(0)
        fault.strike()
        return await inner(*given, **named)

    setattr(owner, name, struck)


def _break_worker(step: str, fault: Fault) -> None:
    from shared.announcing import Announcer
    from shared.broker.consumer import QueueDelivery
    from shared.storage import claims, outcomes
    from terminal_worker.connection import TcpConnection, TcpConnector

    match step:
        case "before_claim":
            _before(claims, "claim", fault)
        case "after_claim":
            _after(claims, "claim", fault, once=lambda found: isinstance(found, claims.Claimed))
        case "after_connect":
            _after(TcpConnector, "__call__", fault)
        case "before_write":
            _before(TcpConnection, "write", fault)
        case "after_write":
            _once_sent(TcpConnection, "read", fault)
        case "mid_answer":
            _after(TcpConnection, "read", fault, once=bool)
        case "after_answer":
            _before(outcomes, "settle", fault)
        case "after_commit":
            _before(Announcer, "reply", fault)
        case "after_reply":
            _before(QueueDelivery, "ack", fault)
        case _:
            raise ValueError(step)


def _break_api(step: str, fault: Fault) -> None:
    from api import paying
    from shared.broker.publisher import Publisher

    match step:
        case "before_insert":
            _before(paying, "accept", fault)
        case "after_insert":
            _before(Publisher, "publish_payment", fault)
        case "after_publish":
            _after(Publisher, "publish_payment", fault)
        case _:
            raise ValueError(step)


def _hold_back() -> None:
    from shared.broker.consumer import PaymentConsumer

    begin = PaymentConsumer.start

    async def held_back(self: PaymentConsumer, on_delivery: Any) -> None:
        async def begun() -> None:
            await called.wait()
            await begin(self, on_delivery)

        called = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, called.set)
        tasks.append(asyncio.create_task(begun()))

    tasks: list[asyncio.Task[None]] = []
    PaymentConsumer.start = held_back  # type: ignore[method-assign, assignment]


def main(verb: str, step: str, signal_name: str) -> None:
    from cli.main import app

    if step == "held_back":
        _hold_back()
    else:
        breaks = {"terminal-worker": _break_worker, "api": _break_api}[verb]
        breaks(step, Fault(step, signal.Signals[signal_name]))
    app([verb])


if __name__ == "__main__":
    main(*sys.argv[1:])
