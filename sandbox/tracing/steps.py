"""Steps of a trace event, the systems between which it passes, and its number in the three flows.

The receiver of a request records two events: the request, and its own answer. The terminal records its own
steps (woken, stored) itself.
"""

from enum import StrEnum
from typing import Final


class System(StrEnum):
    """Source or target of a trace event."""

    REGISTER = "register"
    CLOUD_API = "cloud-api"
    TERMINAL = "terminal"
    PRELUDD = "preludd"
    NEPTING = "nepting"
    ACQUIRER = "acquirer"
    ISSUER = "issuer"
    HIPAY = "hipay"
    MERCHANT = "merchant"


class Step(StrEnum):
    """Kind of a trace event; the values are stable codes."""

    ORDER_SENT = "order_sent"
    TERMINAL_CALLED = "terminal_called"
    ORDER_NOTIFICATION = "order_notification"
    ORDER_NOTIFICATION_ACKNOWLEDGED = "order_notification_acknowledged"
    TERMINAL_WOKEN = "terminal_woken"
    CARD_PRESENTED = "card_presented"
    PIN_ENTERED = "pin_entered"
    AUTHORISATION_ASKED = "authorisation_asked"
    AUTHORISATION_ANSWERED = "authorisation_answered"
    #: Without authorisation: the terminal approved by itself.
    APPROVED_OFFLINE = "approved_offline"
    TRANSACTION_STORED = "transaction_stored"
    RESULT_TO_API = "result_to_api"
    RESULT_TO_REGISTER = "result_to_register"
    COMPLETION_SENT = "completion_sent"
    COMPLETION_ACKNOWLEDGED = "completion_acknowledged"
    AUTHORISATION_PUSHED = "authorisation_pushed"
    AUTHORISATION_PUSH_ACKNOWLEDGED = "authorisation_push_acknowledged"
    COMPLETION_PUSHED = "completion_pushed"
    COMPLETION_PUSH_ACKNOWLEDGED = "completion_push_acknowledged"
    #: HiPay has order and authorisation push: the transaction begins, or its status changed.
    STATUS_CHANGED = "status_changed"
    COLLECTION_SENT = "collection_sent"
    COLLECTION_ACKNOWLEDGED = "collection_acknowledged"
    COLLECTION_PUSHED = "collection_pushed"
    COLLECTION_PUSH_ACKNOWLEDGED = "collection_push_acknowledged"
    EVIDENCE_REPORTED = "evidence_reported"
    EVIDENCE_TAKEN = "evidence_taken"
    MERCHANT_NOTIFIED = "merchant_notified"
    MERCHANT_ACKNOWLEDGED = "merchant_acknowledged"
    #: The API's own webhook.
    WEBHOOK_SENT = "webhook_sent"
    WEBHOOK_ACKNOWLEDGED = "webhook_acknowledged"


class Flow(StrEnum):
    """One of HiPay's three published sequence diagrams."""

    WITH_AUTHORISATION = "with_authorisation"
    WITHOUT_AUTHORISATION = "without_authorisation"
    COLLECTION = "collection"


_S, _T = System, Step
Key = tuple[Step, System, System]

_FIRST: Final[dict[Key, str]] = {
    (_T.ORDER_SENT, _S.REGISTER, _S.CLOUD_API): "1",
    (_T.TERMINAL_CALLED, _S.CLOUD_API, _S.TERMINAL): "2",
    (_T.ORDER_NOTIFICATION, _S.CLOUD_API, _S.HIPAY): "2'",
    (_T.TERMINAL_WOKEN, _S.TERMINAL, _S.TERMINAL): "3",
}

#: A flow's numbered events, in its order. Events without a number are not part of its diagram.
NUMBERS: Final[dict[Flow, dict[Key, str]]] = {
    Flow.WITH_AUTHORISATION: {
        **_FIRST,
        (_T.AUTHORISATION_ASKED, _S.TERMINAL, _S.PRELUDD): "4",
        (_T.AUTHORISATION_ASKED, _S.PRELUDD, _S.NEPTING): "5",
        (_T.AUTHORISATION_ASKED, _S.NEPTING, _S.ACQUIRER): "6",
        (_T.AUTHORISATION_ASKED, _S.ACQUIRER, _S.ISSUER): "7",
        (_T.AUTHORISATION_ANSWERED, _S.ISSUER, _S.ACQUIRER): "8",
        (_T.AUTHORISATION_ANSWERED, _S.ACQUIRER, _S.NEPTING): "9",
        (_T.AUTHORISATION_ANSWERED, _S.NEPTING, _S.PRELUDD): "10",
        (_T.AUTHORISATION_ANSWERED, _S.PRELUDD, _S.TERMINAL): "10",
        (_T.TRANSACTION_STORED, _S.TERMINAL, _S.TERMINAL): "11",
        (_T.RESULT_TO_API, _S.TERMINAL, _S.CLOUD_API): "12",
        (_T.RESULT_TO_REGISTER, _S.CLOUD_API, _S.REGISTER): "13",
    },
    Flow.WITHOUT_AUTHORISATION: {
        **_FIRST,
        (_T.APPROVED_OFFLINE, _S.TERMINAL, _S.TERMINAL): "4",
        (_T.TRANSACTION_STORED, _S.TERMINAL, _S.TERMINAL): "5",
        (_T.RESULT_TO_API, _S.TERMINAL, _S.CLOUD_API): "6",
        (_T.RESULT_TO_REGISTER, _S.CLOUD_API, _S.REGISTER): "7",
    },
    Flow.COLLECTION: {
        (_T.COLLECTION_SENT, _S.TERMINAL, _S.PRELUDD): "1",
        (_T.COLLECTION_SENT, _S.PRELUDD, _S.ACQUIRER): "2",
        (_T.COLLECTION_ACKNOWLEDGED, _S.ACQUIRER, _S.PRELUDD): "3",
        (_T.COLLECTION_ACKNOWLEDGED, _S.PRELUDD, _S.TERMINAL): "4",
        (_T.COLLECTION_PUSHED, _S.PRELUDD, _S.HIPAY): "5",
        (_T.COLLECTION_PUSH_ACKNOWLEDGED, _S.HIPAY, _S.PRELUDD): "6",
        (_T.MERCHANT_NOTIFIED, _S.HIPAY, _S.MERCHANT): "7",
        (_T.MERCHANT_ACKNOWLEDGED, _S.MERCHANT, _S.HIPAY): "8",
    },
}
