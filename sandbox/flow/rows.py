"""Rows of each diagram: the numbered steps, and the events between and after them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.tracing.steps import NUMBERS, Flow, Key, Step, System

_S, _T = System, Step

TITLES: Final = {
    Flow.WITH_AUTHORISATION: "Payment with authorisation, 13 steps",
    Flow.WITHOUT_AUTHORISATION: "Payment without authorisation, 7 steps",
    Flow.COLLECTION: "Remote collection, 8 steps",
}

SYSTEM_NAMES: Final[Mapping[System, str]] = {
    _S.REGISTER: "Register",
    _S.CLOUD_API: "Cloud API",
    _S.TERMINAL: "Terminal",
    _S.PRELUDD: "Preludd",
    _S.NEPTING: "Nepting",
    _S.ACQUIRER: "Acquirer",
    _S.ISSUER: "Issuer",
    _S.HIPAY: "HiPay",
    _S.MERCHANT: "Merchant",
}

_LABELS: Final[Mapping[Step, str]] = {
    _T.ORDER_SENT: "order",
    _T.TERMINAL_CALLED: "Concert request",
    _T.ORDER_NOTIFICATION: "order notification",
    _T.TERMINAL_WOKEN: "wakes, shows the amount",
    _T.CARD_PRESENTED: "card presented",
    _T.PIN_ENTERED: "PIN entered",
    _T.AUTHORISATION_ASKED: "authorisation?",
    _T.AUTHORISATION_ANSWERED: "answer",
    _T.APPROVED_OFFLINE: "approved by the terminal itself",
    _T.TRANSACTION_STORED: "transaction stored",
    _T.RESULT_TO_API: "result",
    _T.RESULT_TO_REGISTER: "answer, receipt",
    _T.COMPLETION_SENT: "completed",
    _T.AUTHORISATION_PUSHED: "authorisation pushed",
    _T.COMPLETION_PUSHED: "completion pushed",
    _T.STATUS_CHANGED: "transaction",
    _T.EVIDENCE_REPORTED: "gateway evidence",
    _T.COLLECTION_SENT: "collection",
    _T.COLLECTION_ACKNOWLEDGED: "acknowledged",
    _T.COLLECTION_PUSHED: "collection pushed",
    _T.COLLECTION_PUSH_ACKNOWLEDGED: "acknowledged",
    _T.MERCHANT_NOTIFIED: "notification",
    _T.MERCHANT_ACKNOWLEDGED: "acknowledged",
    _T.WEBHOOK_SENT: "webhook",
}

#: Without a number in HiPay's diagram; shown after the terminal has woken.
_CUSTOMER: Final = (
    (_T.CARD_PRESENTED, _S.TERMINAL, _S.TERMINAL),
    (_T.PIN_ENTERED, _S.TERMINAL, _S.TERMINAL),
)
_WEBHOOK: Final = ((_T.WEBHOOK_SENT, _S.CLOUD_API, _S.MERCHANT),)
_AFTERWARDS: Final = (
    (_T.COMPLETION_SENT, _S.TERMINAL, _S.PRELUDD),
    (_T.AUTHORISATION_PUSHED, _S.PRELUDD, _S.HIPAY),
    (_T.STATUS_CHANGED, _S.HIPAY, _S.HIPAY),
    (_T.MERCHANT_NOTIFIED, _S.HIPAY, _S.MERCHANT),
    (_T.COMPLETION_PUSHED, _S.PRELUDD, _S.HIPAY),
    (_T.EVIDENCE_REPORTED, _S.HIPAY, _S.CLOUD_API),
    *_WEBHOOK,
)
_CAPTURED: Final = ((_T.STATUS_CHANGED, _S.HIPAY, _S.HIPAY),)


@dataclass(frozen=True, slots=True)
class Row:
    """One arrow of a diagram; `number` is HiPay's, None where it has none."""

    step: Step
    source: System
    target: System
    number: str | None
    #: It follows the numbered steps.
    is_afterwards: bool = False

    @property
    def key(self) -> Key:
        return (self.step, self.source, self.target)

    @property
    def label(self) -> str:
        return _LABELS[self.step]


def rows_of(flow: Flow) -> tuple[Row, ...]:
    """Return the diagram's rows from the top."""
    rows: list[Row] = []
    for key, number in NUMBERS[flow].items():
        rows.append(Row(*key, number))
        if key[0] is _T.TERMINAL_WOKEN:
            rows += [Row(*extra, None) for extra in _CUSTOMER]
        if key == (_T.COLLECTION_PUSH_ACKNOWLEDGED, _S.HIPAY, _S.PRELUDD):
            rows += [Row(*extra, None) for extra in _CAPTURED]
    if flow is not Flow.COLLECTION:
        after = _AFTERWARDS if flow is Flow.WITH_AUTHORISATION else _WEBHOOK
        rows += [Row(*extra, None, True) for extra in after]
    return tuple(rows)


def systems_of(rows: tuple[Row, ...]) -> tuple[System, ...]:
    """Return the systems of these rows, in their order from register to merchant."""
    taking_part = {system for row in rows for system in (row.source, row.target)}
    return tuple(system for system in System if system in taking_part)
