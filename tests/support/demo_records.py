"""One payment as till, database, broker and terminal recorded it, for the demo's timeline and checks."""

import base64
from dataclasses import replace
from typing import Any, Final

from sandbox.demo.broker_tap import Passed
from sandbox.demo.frames import masked_fields
from sandbox.demo.orders import order
from sandbox.demo.stored import StoredEvent
from sandbox.demo.till import Call
from sandbox.demo.timeline import Records
from sandbox.terminal.device.ledger import Passage, SessionRecord
from sandbox.tracing.steps import Step as HopStep
from sandbox.tracing.steps import System
from sandbox.tracing.trace import TraceEvent

PAYMENT: Final = "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"
LINE: Final = "127.1.2.3:8888"
#: Milliseconds since 1970 at which the till asks.
T: Final = 1_764_000_000_000
REQUEST: Final = f"CZ0040320CB003640CD0010CE003978CF030{PAYMENT}"
ANSWER: Final = f"CZ0040320CB003640CD0010AE00210CF030{PAYMENT}"


def call(**changed: Any) -> Call:
    """Return a successful debit of 6.40 euros as the till saw it."""
    body = {
        "paymentStatus": "Success",
        "receipt": base64.b64encode(b"DEBIT").decode(),
        "payment": {
            "id": PAYMENT,
            "order_id": "TABLE-3",
            "operation": "debit",
            "state": "succeeded",
            "amount": 640,
            "masked_card": "497010******7893",
            "replayed": False,
        },
    }
    asked = order("TABLE-3", 640, "127.1.2.3", 8888)
    return replace(Call("till", asked, T + 0.4, T + 512.3, 200, body), **changed)


def row() -> dict[str, Any]:
    """Return its row."""
    return {
        "id": PAYMENT,
        "order_id": "TABLE-3",
        "operation": "debit",
        "state": "succeeded",
        "amount_cents": 640,
        "paid_cents": 640,
        "authorisation_number": None,
        "masked_card": "497010******7893",
        "receipt": "DEBIT",
    }


def history() -> list[StoredEvent]:
    """Return its events."""
    frames = {"sent": masked_fields(REQUEST.encode()), "answer": masked_fields(ANSWER.encode())}
    return [
        StoredEvent(PAYMENT, T + 6, "accepted", "queued", {"terminal_address": LINE}),
        StoredEvent(PAYMENT, T + 15, "claimed", "in_session", {"worker": "w-id", "terminal_address": LINE}),
        StoredEvent(PAYMENT, T + 500, "answered_done", "succeeded", frames),
    ]


def session(reference: str = PAYMENT, *, begins: float = 15.0, ends: float = 499.0) -> SessionRecord:
    """Return the terminal's record of a session that charged."""
    return SessionRecord(
        peer="127.0.0.1:40000",
        connected_at_ms=T + int(begins),
        opened_at_ms=T + int(begins),
        opened_monotonic_ms=begins,
        closed_at_ms=T + int(ends),
        closed_monotonic_ms=ends,
        operation="debit",
        amount_cents=640,
        reference=reference,
        outcome="done",
        charged=True,
        answered=True,
        passages=[Passage("in", T + 16, 16.0, REQUEST), Passage("out", T + 498, 498.0, ANSWER)],
    )


def messages() -> list[Passed]:
    """Return what passed between the processes and the broker."""
    return [
        Passed(T + 9.5, "API", True, "payments", "payment", PAYMENT, "reply.1"),
        Passed(T + 12.1, "worker 1", False, "payments", "payment", PAYMENT, "reply.1"),
        Passed(T + 503.0, "worker 1", True, "reply.1", "reply", PAYMENT, None),
        Passed(T + 504.0, "API", False, "reply.1", "reply", PAYMENT, None),
    ]


def records(**changed: Any) -> Records:
    """Return all of it."""
    whole = Records(
        calls=[call()],
        events=history(),
        messages=messages(),
        sessions=[session()],
        held=[],
        workers={"w-id": "worker 1"},
        terminals={LINE: "terminal B"},
    )
    return replace(whole, **changed)


def trace_event(step: HopStep, source: System, target: System, after_ms: int, **detail: Any) -> TraceEvent:
    """Return something that passed between the systems around us, so long after the till asked."""
    return TraceEvent(after_ms, T + after_ms, source, target, step, PAYMENT, detail)


def offline_hops() -> list[TraceEvent]:
    """Return what passed for it at a terminal with a gateway that approved by itself."""
    api, terminal = System.CLOUD_API, System.TERMINAL
    return [
        trace_event(HopStep.ORDER_NOTIFICATION, api, System.HIPAY, 13, order_id="TABLE-3", is_new=True),
        trace_event(
            HopStep.ORDER_NOTIFICATION_ACKNOWLEDGED, System.HIPAY, api, 13, order_id="TABLE-3", is_new=True
        ),
        trace_event(HopStep.TERMINAL_CALLED, api, terminal, 16),
        trace_event(HopStep.TERMINAL_WOKEN, terminal, terminal, 16, amount_cents=640),
        trace_event(
            HopStep.CARD_PRESENTED, terminal, terminal, 490, brand="cb", card="497010", mode="contact"
        ),
        trace_event(HopStep.APPROVED_OFFLINE, terminal, terminal, 498),
        trace_event(HopStep.TRANSACTION_STORED, terminal, terminal, 498, number=1, result="done"),
        trace_event(HopStep.RESULT_TO_API, terminal, api, 498),
        trace_event(HopStep.WEBHOOK_SENT, api, System.MERCHANT, 520, type="payment.succeeded"),
        trace_event(HopStep.WEBHOOK_ACKNOWLEDGED, System.MERCHANT, api, 521, type="payment.succeeded"),
    ]
