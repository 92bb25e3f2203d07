"""What passed between the systems around us, as steps of a timeline numbered as in their flow's picture."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from sandbox.demo.frames import euros
from sandbox.demo.timeline import Step as Told
from sandbox.demo.timeline import Turn
from sandbox.hipay.rules.statuses import NAMES, Status
from sandbox.tracing.steps import Flow, Key, Step, System, number_in
from sandbox.tracing.trace import TraceEvent

_API, _TERMINAL, _REGISTER = System.CLOUD_API, System.TERMINAL, System.REGISTER

#: What till, worker and terminal recorded themselves is in the timeline already, byte by byte.
_TOLD_BY_US: Final[dict[Turn, Key]] = {
    Turn.ASKED: (Step.ORDER_SENT, _REGISTER, _API),
    Turn.REQUEST: (Step.TERMINAL_CALLED, _API, _TERMINAL),
    Turn.ANSWER: (Step.RESULT_TO_API, _TERMINAL, _API),
    Turn.TOLD: (Step.RESULT_TO_REGISTER, _API, _REGISTER),
}
_OURS: Final = frozenset(key[0] for key in _TOLD_BY_US.values())
#: An answer 2xx that says no more than that.
_MERE_ACKNOWLEDGEMENTS: Final = frozenset(
    {
        Step.COMPLETION_ACKNOWLEDGED,
        Step.AUTHORISATION_PUSH_ACKNOWLEDGED,
        Step.COMPLETION_PUSH_ACKNOWLEDGED,
        Step.COLLECTION_PUSH_ACKNOWLEDGED,
        Step.EVIDENCE_TAKEN,
        Step.MERCHANT_ACKNOWLEDGED,
    }
)
_BEFORE_THE_ANSWER: Final = frozenset(
    {
        Step.ORDER_NOTIFICATION,
        Step.TERMINAL_WOKEN,
        Step.CARD_PRESENTED,
        Step.PIN_ENTERED,
        Step.AUTHORISATION_ASKED,
        Step.AUTHORISATION_ANSWERED,
        Step.APPROVED_OFFLINE,
        Step.TRANSACTION_STORED,
    }
)
_NAMES: Final = {
    System.REGISTER: "till",
    System.CLOUD_API: "API",
    System.TERMINAL: "terminal C",
    System.PRELUDD: "Preludd",
    System.NEPTING: "Nepting",
    System.ACQUIRER: "acquirer",
    System.ISSUER: "issuer",
    System.HIPAY: "HiPay",
    System.MERCHANT: "merchant",
}
_NOTIFIER: Final = "notifier"
_CUSTOMER: Final = "customer"
#: Between whom it is, where the hop's systems do not say it exactly.
_BETWEEN: Final[dict[Step, tuple[str, str]]] = {
    Step.ORDER_NOTIFICATION: (_NOTIFIER, "HiPay"),
    Step.ORDER_NOTIFICATION_ACKNOWLEDGED: ("HiPay", _NOTIFIER),
    Step.WEBHOOK_SENT: (_NOTIFIER, "merchant"),
    Step.WEBHOOK_ACKNOWLEDGED: ("merchant", _NOTIFIER),
    Step.TERMINAL_WOKEN: ("terminal C", _CUSTOMER),
    Step.CARD_PRESENTED: (_CUSTOMER, "terminal C"),
    Step.PIN_ENTERED: (_CUSTOMER, "terminal C"),
    Step.APPROVED_OFFLINE: ("terminal C", _CUSTOMER),
    Step.TRANSACTION_STORED: ("terminal C", "journal"),
    Step.STATUS_CHANGED: ("HiPay", "Console"),
}


def numbered(steps: Iterable[Told], flow: Flow) -> list[Told]:
    """Return what till, worker and terminal recorded with its number in the flow."""
    return [
        replace(step, number=_number(flow, *_TOLD_BY_US[step.turn])) if step.turn in _TOLD_BY_US else step
        for step in steps
    ]


def hop_steps(hops: Iterable[TraceEvent], begin: int, flow: Flow | None) -> list[Told]:
    """Return the hops as steps, without those that `numbered` has and without mere acknowledgements.

    An acknowledgement that is a step of the flow's picture stays. begin: as `begin_of` gives it. flow: None
    where the terminal has no gateway, and its steps are not recorded.
    """
    told = []
    for trace_event in hops:
        number = _number(flow, trace_event.step, trace_event.source, trace_event.target)
        if trace_event.step in _OURS or (trace_event.step in _MERE_ACKNOWLEDGEMENTS and not number):
            continue
        sender, receiver = _BETWEEN.get(
            trace_event.step, (_NAMES[trace_event.source], _NAMES[trace_event.target])
        )
        turn = Turn.PASSED if trace_event.step in _BEFORE_THE_ANSWER else Turn.AFTERWARDS
        text = _text(trace_event.step, trace_event.detail)
        told.append(
            Told(
                trace_event.at_ms - begin,
                turn,
                sender,
                receiver,
                text,
                payment_id=trace_event.reference or "",
                number=number,
            )
        )
    return told


def _number(flow: Flow | None, step: Step, source: System, target: System) -> str:
    return "" if flow is None else number_in(flow, step, source, target) or ""


def _text(step: Step, detail: Mapping[str, Any]) -> str:
    words = dict(detail)
    if "amount_cents" in detail:
        words["amount"] = euros(detail["amount_cents"])
    if "sum_cents" in detail:
        words["sum"] = euros(detail["sum_cents"])
    if step is Step.AUTHORISATION_ANSWERED:
        number = detail["authorisation_number"]
        words["number"] = f", authorisation {number}" if number else ""
    if step is Step.MERCHANT_NOTIFIED:
        words["message"] = NAMES[Status(detail["status"])]
    return _TEXTS[step].format_map(words)


#: The merchant's server answers anything else with 403.
_VERIFIED: Final = "acknowledged: signature verified"
_TEXTS: Final = {
    Step.ORDER_NOTIFICATION: "order notification of {order_id}: signature and credentials are right",
    Step.ORDER_NOTIFICATION_ACKNOWLEDGED: "acknowledged",
    Step.TERMINAL_WOKEN: "wakes and shows {amount}",
    Step.CARD_PRESENTED: "{brand} {card}, {mode}",
    Step.PIN_ENTERED: "PIN, {pin}",
    Step.AUTHORISATION_ASKED: "may {amount} be taken?",
    Step.AUTHORISATION_ANSWERED: "{code} {message}{number}",
    Step.APPROVED_OFFLINE: "approves by itself, no bank is asked",
    Step.TRANSACTION_STORED: "transaction {number} is stored: {result}",
    Step.COMPLETION_TOLD: "transaction {transaction_id} is completed",
    Step.AUTHORISATION_PUSHED: "the authorisation, with our reference",
    Step.COMPLETION_PUSHED: "the completion, with our reference",
    Step.STATUS_CHANGED: "transaction {transaction_reference} is {status} {message}",
    Step.MERCHANT_NOTIFIED: "notification {status} {message}",
    Step.MERCHANT_ACKNOWLEDGED: _VERIFIED,
    Step.EVIDENCE_REPORTED: "evidence of the gateway: {status}",
    Step.WEBHOOK_SENT: "webhook {type}",
    Step.WEBHOOK_ACKNOWLEDGED: _VERIFIED,
    Step.COLLECTION_SENT: "batch {batch}: {count} transactions, {sum}",
    Step.COLLECTION_ACKNOWLEDGED: "acknowledged",
    Step.COLLECTION_PUSHED: "collected: {amount}",
    Step.COLLECTION_PUSH_ACKNOWLEDGED: "acknowledged",
}
