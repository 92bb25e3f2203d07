"""Steps between two parties, made of trace events, payments' histories and the terminal's sessions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sandbox.demo.frames import euros
from sandbox.hipay.rules.statuses import NAMES, Status
from sandbox.terminal.device.session_log import SessionRecord
from sandbox.tracing.steps import Step as TraceStep
from sandbox.tracing.steps import System
from sandbox.tracing.trace import TraceEvent

Json = Mapping[str, Any]

DATABASE: Final = "database"
#: The payment's worker.
WORKER: Final = "worker"
NOTIFIER: Final = "notifier"
_NAMES: Final = {
    System.REGISTER: "register",
    System.CLOUD_API: "API",
    System.TERMINAL: "terminal",
    System.PRELUDD: "Preludd",
    System.NEPTING: "Nepting",
    System.ACQUIRER: "acquirer",
    System.ISSUER: "issuer",
    System.HIPAY: "HiPay",
    System.MERCHANT: "merchant",
}
#: Each names what comes before it within a millisecond.
_ORDER_SENT, _ACCEPTED, _CLAIMED, _PASSED, _ANSWERED, _ENDED, _TOLD, _AFTERWARDS = range(8)

#: An answer 2xx that says nothing else is not printed.
_ACKNOWLEDGEMENTS: Final = frozenset(
    {
        TraceStep.COMPLETION_ACKNOWLEDGED,
        TraceStep.AUTHORISATION_PUSH_ACKNOWLEDGED,
        TraceStep.COMPLETION_PUSH_ACKNOWLEDGED,
        TraceStep.COLLECTION_ACKNOWLEDGED,
        TraceStep.COLLECTION_PUSH_ACKNOWLEDGED,
        TraceStep.EVIDENCE_TAKEN,
        TraceStep.MERCHANT_ACKNOWLEDGED,
        TraceStep.ORDER_NOTIFICATION_ACKNOWLEDGED,
        TraceStep.WEBHOOK_ACKNOWLEDGED,
    }
)
_TEXTS: Final = {
    TraceStep.ORDER_SENT: "POST order {order_id}: {operation} {amount}",
    TraceStep.TERMINAL_CALLED: "Concert request",
    TraceStep.TERMINAL_WOKEN: "shows {amount}",
    TraceStep.CARD_PRESENTED: "{brand} {card}, {mode}",
    TraceStep.PIN_ENTERED: "PIN, {pin}",
    TraceStep.AUTHORISATION_ASKED: "authorise {amount}?",
    TraceStep.AUTHORISATION_ANSWERED: "{code} {message}{number}",
    TraceStep.APPROVED_OFFLINE: "approves by itself: below its floor limit",
    TraceStep.TRANSACTION_STORED: "transaction {number} is in its journal: {result}",
    TraceStep.RESULT_TO_API: "Concert answer, AE {status}",
    TraceStep.RESULT_TO_REGISTER: "{status} {payment_status}{more}",
    TraceStep.ORDER_NOTIFICATION: "order notification of {order_id}, signed",
    TraceStep.COMPLETION_SENT: "transaction {transaction_id} is completed",
    TraceStep.AUTHORISATION_PUSHED: "authorisation push, with our reference",
    TraceStep.COMPLETION_PUSHED: "completion push, with our reference",
    TraceStep.STATUS_CHANGED: "transaction {transaction_reference}: {status} {message}",
    TraceStep.MERCHANT_NOTIFIED: "notification {status} {message}",
    TraceStep.EVIDENCE_REPORTED: "gateway evidence: {status}",
    TraceStep.WEBHOOK_SENT: "webhook {type}, signed",
    TraceStep.COLLECTION_SENT: "batch {batch}: {count} transactions, {sum}",
    TraceStep.COLLECTION_PUSHED: "collected: {amount}",
}
#: Between whom it is, where the trace's systems do not say it exactly.
_BETWEEN: Final = {
    TraceStep.ORDER_NOTIFICATION: (NOTIFIER, "HiPay"),
    TraceStep.WEBHOOK_SENT: (NOTIFIER, "merchant"),
    TraceStep.TERMINAL_WOKEN: ("terminal", "customer"),
    TraceStep.CARD_PRESENTED: ("customer", "terminal"),
    TraceStep.PIN_ENTERED: ("customer", "terminal"),
    TraceStep.APPROVED_OFFLINE: ("terminal", "customer"),
    TraceStep.TRANSACTION_STORED: ("terminal", "terminal"),
}
_BANKS: Final = frozenset({System.PRELUDD, System.NEPTING, System.ACQUIRER, System.ISSUER})
_RANKS: Final = {
    TraceStep.ORDER_SENT: _ORDER_SENT,
    TraceStep.RESULT_TO_API: _ANSWERED,
    TraceStep.RESULT_TO_REGISTER: _TOLD,
    TraceStep.WEBHOOK_SENT: _AFTERWARDS,
    TraceStep.EVIDENCE_REPORTED: _AFTERWARDS,
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that one party sent to another, or did at `at_ms` (Unix time).

    Without a sender it is a note about what the demo itself does.
    """

    at_ms: int
    rank: int
    sender: str
    receiver: str
    text: str
    #: The term to explain at its first use.
    term: str = ""
    #: The sender is the payment's worker from now on: WORKER stands for it in the steps that follow.
    begins_work: bool = False

    def by_worker(self, name: str) -> "Step":
        """Return the step with the payment's worker named."""
        sender, receiver = (name if party == WORKER else party for party in (self.sender, self.receiver))
        return replace(self, sender=sender, receiver=receiver)


def of_trace(event: TraceEvent, *, is_brief: bool) -> Step | None:
    """Return a trace event as a step; None where it is not shown. is_brief: without what banks exchange."""
    between_banks = event.source in _BANKS and event.target in _BANKS
    if event.step in _ACKNOWLEDGEMENTS or (between_banks and is_brief):
        return None
    sender, receiver = _BETWEEN.get(event.step, (_NAMES[event.source], _NAMES[event.target]))
    if event.step is TraceStep.TERMINAL_CALLED:
        sender = WORKER
    elif event.step is TraceStep.RESULT_TO_API:
        receiver = WORKER
    return Step(
        event.at_ms,
        _RANKS.get(event.step, _PASSED),
        sender,
        receiver,
        _TEXTS[event.step].format_map(_words(event)),
        event.step,
    )


def of_history(event: Json, workers: Mapping[str, str]) -> Step | None:
    """Return an event of `GET /v1/payments/{id}/events` as a step; None where it is not shown.

    workers: their names by id.
    """
    at_ms = round(datetime.fromisoformat(event["at"]).timestamp() * 1000)
    detail, state, name = event["detail"], event["state"], event["event"]
    match name:
        case "accepted":
            return Step(at_ms, _ACCEPTED, "API", DATABASE, f"payment is stored: {state}")
        case "claimed":
            text = f"locks the terminal, before any byte: {state}"
            return Step(at_ms, _CLAIMED, workers[detail["worker"]], DATABASE, text, name, begins_work=True)
        case "outcome_lost" if "taken_over_by" in detail:
            text = f"takes over the terminal lock of {workers[detail['worker']]}: {state}"
            taker = workers[detail["taken_over_by"]]
            return Step(at_ms, _ENDED, taker, DATABASE, text, "takeover", begins_work=True)
        case "outcome_lost":
            return Step(at_ms, _ENDED, WORKER, DATABASE, f"no answer came: {state}", state)
        case "evidence":
            return None
        case "identified":
            text = f"can this terminal be identified? {detail['found']}"
        case _:
            text = f"result is stored ({name.replace('_', ' ')}): {state}"
    return Step(at_ms, _ENDED, WORKER, DATABASE, text, name)


def of_session(session: SessionRecord) -> list[Step]:
    """Return an ended enquiry or identification of the terminal's own record as steps."""
    if session.operation == "enquiry":
        asked, answered = "enquiry: what was your last transaction?", "repeats its last transaction"
    elif session.operation == "identification":
        asked, answered = "identification: who are you?", "serial number and version"
    else:
        return []
    assert session.closed_at_ms is not None
    return [
        Step(session.opened_at_ms, _PASSED, WORKER, "terminal", asked, session.operation),
        Step(session.closed_at_ms, _ANSWERED, "terminal", WORKER, answered),
    ]


def _words(event: TraceEvent) -> dict[str, Any]:
    detail = event.detail
    words = dict(detail)
    for name in ("amount", "sum"):
        if f"{name}_cents" in detail:
            words[name] = euros(detail[f"{name}_cents"])
    if event.step is TraceStep.AUTHORISATION_ANSWERED:
        number = detail["authorisation_number"]
        words["number"] = f", authorisation {number}" if number else ""
    if event.step is TraceStep.MERCHANT_NOTIFIED:
        words["message"] = NAMES[Status(detail["status"])]
    if event.step is TraceStep.RESULT_TO_REGISTER:
        words["more"] = _more(detail)
    return words


def _more(detail: Mapping[str, Any]) -> str:
    return "".join(
        f", {text}"
        for text, is_there in (
            (f"errorCode {detail['code']} ({detail['description']})", detail["code"]),
            ("receipt", detail["has_receipt"]),
            ("replayed", detail["replayed"]),
            (f"resolved by {detail['resolved_by']}", detail["resolved_by"]),
        )
        if is_there
    )
