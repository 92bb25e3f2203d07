"""Which hops belong to a payment, and to its collection. Pure: everything is in the trace or was asked for.

A hop that carries the payment's id is its own. The register cannot know that id when it sends the order:
its hop carries the order's number, and belongs to the payment if it is the last one of that number before
anything else of the payment happened. A collection's hops name terminal and batch; the terminal's journal
says in which batch a payment went out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sandbox.tracing.steps import Flow, Step, System
from sandbox.tracing.trace import TraceEvent

Json = dict[str, Any]

#: What a payment's history begins with: when the API took the order.
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
#: A collection's hops that name terminal and batch, and no payment.
BATCH_STEPS: Final = frozenset({Step.COLLECTION_SENT, Step.COLLECTION_ACKNOWLEDGED})
#: What a payment's first hop is, where it began within the trace's memory.
BEGINNINGS: Final = frozenset({Step.TERMINAL_CALLED, Step.ORDER_NOTIFICATION, Step.RESULT_TO_REGISTER})
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
    began_at_ms: int


@dataclass(frozen=True, slots=True)
class Story:
    """A payment's hops, the oldest first, and those of its collection."""

    payment_id: str
    flow: Flow | None
    hops: tuple[TraceEvent, ...]
    collection: tuple[TraceEvent, ...] = ()
    #: When the API accepted the order, by the payment's history; for orders that another client sent.
    accepted_at_ms: int | None = None
    order_id: str | None = None
    amount_cents: int | None = None
    history: Sequence[Json] = field(default=())

    @property
    def start_ms(self) -> int | None:
        """When step 1 happened, else the first thing that is known."""
        sent = next(
            (trace_event.at_ms for trace_event in self.hops if trace_event.step is Step.ORDER_SENT),
            self.accepted_at_ms,
        )
        return sent if sent is not None else next((trace_event.at_ms for trace_event in self.hops), None)


def payments_in(hops: Iterable[TraceEvent]) -> list[Listed]:
    """Return the payments that the trace knows, the newest first."""
    own: dict[str, list[TraceEvent]] = {}
    for trace_event in hops:
        if trace_event.reference is not None:
            own.setdefault(trace_event.reference, []).append(trace_event)
    listed = [
        Listed(
            payment_id,
            _said(of_payment, "order_id"),
            _said(of_payment, "amount_cents"),
            _said(of_payment, "operation"),
            of_payment[0].at_ms,
        )
        for payment_id, of_payment in own.items()
        # Only what has begun at a register or terminal within the trace's memory.
        if of_payment[0].step in BEGINNINGS
    ]
    return sorted(listed, key=lambda one: one.began_at_ms, reverse=True)


def story_of(
    payment_id: str, hops: Sequence[TraceEvent], *, batch: Batch | None, history: Sequence[Json] = ()
) -> Story:
    """Choose the payment's hops. `history`: what `GET /v1/payments/{id}/events` says."""
    own = [trace_event for trace_event in hops if trace_event.reference == payment_id]
    order_id = _said(own, "order_id")
    sent = _order_sent(hops, own, order_id)
    collected_from = next(
        (trace_event.number for trace_event in own if trace_event.step is Step.COLLECTION_PUSHED), None
    )
    later = [
        trace_event
        for trace_event in own
        if collected_from is not None and trace_event.number >= collected_from
    ]
    collection = [trace_event for trace_event in later if _is_of_collection(trace_event, later)]
    in_collection = {trace_event.number for trace_event in collection}
    before = [trace_event for trace_event in own if trace_event.number not in in_collection]
    return Story(
        payment_id=payment_id,
        flow=_flow_of(own),
        hops=tuple(([sent] if sent else []) + before),
        collection=tuple(
            sorted([*_batch_hops(hops, batch), *collection], key=lambda trace_event: trace_event.number)
        ),
        accepted_at_ms=_moment_ms(history[_ACCEPTED]["at"]) if history else None,
        order_id=order_id,
        amount_cents=_said(own, "amount_cents"),
        history=history,
    )


def _order_sent(
    hops: Sequence[TraceEvent], own: Sequence[TraceEvent], order_id: str | None
) -> TraceEvent | None:
    if not own or order_id is None:
        return None
    before = [
        trace_event
        for trace_event in hops
        if trace_event.step is Step.ORDER_SENT
        and trace_event.number < own[0].number
        and trace_event.detail.get("order_id") == order_id
    ]
    return before[-1] if before else None


def _flow_of(own: Sequence[TraceEvent]) -> Flow | None:
    steps = {trace_event.step for trace_event in own}
    if Step.AUTHORISATION_ASKED in steps:
        return Flow.WITH_AUTHORISATION
    return Flow.WITHOUT_AUTHORISATION if Step.APPROVED_OFFLINE in steps else None


def _batch_hops(hops: Sequence[TraceEvent], batch: Batch | None) -> list[TraceEvent]:
    if batch is None:
        return []
    return [
        trace_event
        for trace_event in hops
        if trace_event.step in BATCH_STEPS
        and trace_event.detail.get("serial") == batch.serial
        and trace_event.detail.get("batch") == batch.number
    ]


def _is_of_collection(trace_event: TraceEvent, later: Sequence[TraceEvent]) -> bool:
    if trace_event.step not in _OF_COLLECTION:
        return False
    if trace_event.step in (Step.STATUS_CHANGED, Step.MERCHANT_NOTIFIED, Step.MERCHANT_ACKNOWLEDGED):
        return trace_event.detail.get("status") in _CAPTURED and trace_event.source in (
            System.HIPAY,
            System.MERCHANT,
        )
    return bool(later)


def _said(hops: Sequence[TraceEvent], name: str) -> Any:
    return next(
        (trace_event.detail[name] for trace_event in hops if trace_event.detail.get(name) is not None), None
    )


def _moment_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
