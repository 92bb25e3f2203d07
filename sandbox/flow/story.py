"""A payment's events in the trace, and those of its collection. Pure.

An event that carries the payment's id belongs to it. The register does not know that id when it sends the
order: its event carries the order's number, and belongs to the payment if it is the last one of that number
before the payment's first event. A collection's events name terminal and batch; the terminal's journal gives
a payment's batch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sandbox.tracing.steps import Flow, Step, System
from sandbox.tracing.trace import TraceEvent

Json = dict[str, Any]

#: Index in a payment's history of the order's acceptance.
_ACCEPTED: Final = 0

_OF_COLLECTION: Final = frozenset(
    {
        Step.COLLECTION_PUSHED,
        Step.COLLECTION_PUSH_ACKNOWLEDGED,
        Step.STATUS_CHANGED,
        Step.MERCHANT_NOTIFIED,
        Step.MERCHANT_ACKNOWLEDGED,
    }
)
#: A collection's events that name terminal and batch, and no payment.
BATCH_STEPS: Final = frozenset({Step.COLLECTION_SENT, Step.COLLECTION_ACKNOWLEDGED})
#: A payment's first event, where it began within the trace's memory.
BEGINNINGS: Final = frozenset({Step.TERMINAL_CALLED, Step.ORDER_NOTIFICATION, Step.RESULT_TO_REGISTER})
_IN_DOUBT: Final = "in_doubt"
#: HiPay's `Captured`.
_CAPTURED: Final = frozenset({118, 166, 125, 126})


@dataclass(frozen=True, slots=True)
class Batch:
    """A collection, as the terminal names it."""

    serial: str
    number: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A payment of the trace, for the list."""

    payment_id: str
    order_id: str | None
    amount_cents: int | None
    operation: str | None
    #: Time of its order, else of its first event.
    began_at_ms: int
    #: By the API's answer and webhooks; None: neither has come.
    state: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """A payment's events, the oldest first, and those of its collection."""

    payment_id: str
    flow: Flow | None
    events: tuple[TraceEvent, ...]
    collection: tuple[TraceEvent, ...] = ()
    #: Time of acceptance by the payment's history; for orders of another client than the register.
    accepted_at_ms: int | None = None
    order_id: str | None = None
    amount_cents: int | None = None
    history: Sequence[Json] = field(default=())

    @property
    def start_ms(self) -> int | None:
        """Return the time of step 1, else of the first event."""
        sent = next(
            (event.at_ms for event in self.events if event.step is Step.ORDER_SENT),
            self.accepted_at_ms,
        )
        return sent if sent is not None else next((event.at_ms for event in self.events), None)


def payments_in(events: Iterable[TraceEvent]) -> list[Listed]:
    """Return the payments that the trace knows, the newest order first."""
    own: dict[str, list[TraceEvent]] = {}
    orders: dict[str, list[TraceEvent]] = {}
    for event in events:
        if event.reference is not None:
            own.setdefault(event.reference, []).append(event)
        elif event.step is Step.ORDER_SENT:
            orders.setdefault(str(event.detail.get("order_id")), []).append(event)
    listed = [
        _listed(payment_id, of_payment, orders.get(str(_said(of_payment, "order_id")), ()))
        for payment_id, of_payment in own.items()
        # Only payments that began within the trace's memory.
        if of_payment[0].step in BEGINNINGS
    ]
    return sorted(listed, key=lambda one: one.began_at_ms, reverse=True)


def _listed(payment_id: str, own: Sequence[TraceEvent], orders: Sequence[TraceEvent]) -> Listed:
    sent = _last_before(orders, own[0])
    return Listed(
        payment_id,
        _said(own, "order_id"),
        _said(own, "amount_cents"),
        _said(own, "operation"),
        own[0].at_ms if sent is None else sent.at_ms,
        _state(own),
    )


def _state(own: Sequence[TraceEvent]) -> str | None:
    """Return the state; webhooks may come late, and no settled payment returns to doubt."""
    named = [event.detail["state"] for event in own if event.detail.get("state") is not None]
    settled = [state for state in named if state != _IN_DOUBT]
    newest: str | None = (settled or named or [None])[-1]
    return newest


def _last_before(orders: Sequence[TraceEvent], first: TraceEvent) -> TraceEvent | None:
    """Return the order that began the payment of this first event; None: the register sent none."""
    before = [event for event in orders if event.number < first.number]
    return before[-1] if before else None


def story_of(
    payment_id: str, events: Sequence[TraceEvent], *, batch: Batch | None, history: Sequence[Json] = ()
) -> Story:
    """Return the payment's story; `history`: the answer of `GET /v1/payments/{id}/events`."""
    own = [event for event in events if event.reference == payment_id]
    order_id = _said(own, "order_id")
    sent = _order_sent(events, own, order_id)
    collected_from = next((event.number for event in own if event.step is Step.COLLECTION_PUSHED), None)
    later = [event for event in own if collected_from is not None and event.number >= collected_from]
    collection = [event for event in later if _is_of_collection(event, later)]
    in_collection = {event.number for event in collection}
    before = [event for event in own if event.number not in in_collection]
    return Story(
        payment_id=payment_id,
        flow=_flow_of(own),
        events=tuple(([sent] if sent else []) + before),
        collection=tuple(
            sorted([*_batch_events(events, batch), *collection], key=lambda event: event.number)
        ),
        accepted_at_ms=_moment_ms(history[_ACCEPTED]["at"]) if history else None,
        order_id=order_id,
        amount_cents=_said(own, "amount_cents"),
        history=history,
    )


def _order_sent(
    events: Sequence[TraceEvent], own: Sequence[TraceEvent], order_id: str | None
) -> TraceEvent | None:
    if not own or order_id is None:
        return None
    orders = [
        event
        for event in events
        if event.step is Step.ORDER_SENT and event.detail.get("order_id") == order_id
    ]
    return _last_before(orders, own[0])


def _flow_of(own: Sequence[TraceEvent]) -> Flow | None:
    steps = {event.step for event in own}
    if Step.AUTHORISATION_ASKED in steps:
        return Flow.WITH_AUTHORISATION
    return Flow.WITHOUT_AUTHORISATION if Step.APPROVED_OFFLINE in steps else None


def _batch_events(events: Sequence[TraceEvent], batch: Batch | None) -> list[TraceEvent]:
    if batch is None:
        return []
    return [
        event
        for event in events
        if event.step in BATCH_STEPS
        and event.detail.get("serial") == batch.serial
        and event.detail.get("batch") == batch.number
    ]


def _is_of_collection(event: TraceEvent, later: Sequence[TraceEvent]) -> bool:
    if event.step not in _OF_COLLECTION:
        return False
    if event.step in (Step.STATUS_CHANGED, Step.MERCHANT_NOTIFIED, Step.MERCHANT_ACKNOWLEDGED):
        return event.detail.get("status") in _CAPTURED and event.source in (
            System.HIPAY,
            System.MERCHANT,
        )
    return bool(later)


def _said(events: Sequence[TraceEvent], name: str) -> Any:
    return next((event.detail[name] for event in events if event.detail.get(name) is not None), None)


def _moment_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
