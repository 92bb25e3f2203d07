"""The payment as one frozen value, read from one row, its result, and the event that ends or doubts it."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

from shared.payment.states import FINAL_STATES, Event, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The terminal's data beside its yes or no; each field is a column of `payments` with the same name."""

    #: Cents that were really paid, once it succeeded; lower than asked for after a partial approval.
    paid_cents: int | None = None
    #: AF's two digits.
    error_code: str | None = None
    #: AF as text for people.
    error_description: str | None = None
    authorisation_number: str | None = None
    #: First 6 digits at most and last 4.
    masked_card: str | None = None
    #: The protocol's CC.
    application: str | None = None
    #: AID of the card application.
    aid: str | None = None
    #: The protocol's CI: 0 any, 1 contact, 2 contactless, 3 magnetic stripe, 4 manual.
    card_read_mode: str | None = None
    #: Customer receipt, plain text.
    receipt: str | None = None
    #: Facts for the client that changed nothing, e.g. `partial_amount`; a stored payment's begin with those
    #: of its order.
    warnings: tuple[str, ...] = ()

    def shown(self) -> dict[str, str | None]:
        """Return the fields that clients read under their own names, in `payment` objects and events."""
        return {name: getattr(self, name) for name in _SHOWN}

    def to_json(self) -> dict[str, object]:
        """Return the fields that are set, for an evidence's detail."""
        return {name: value for name, value in asdict(self).items() if value}

    def with_warnings(self, earlier: tuple[str, ...]) -> "Result":
        """Return the result with a payment's earlier warnings before its own."""
        return replace(self, warnings=tuple(dict.fromkeys((*earlier, *self.warnings))))

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Result":
        """Return the result of a `to_json` text; other keys are ignored."""
        found = {name: value for name, value in values.items() if name in RESULT_FIELDS}
        return Result(**{**found, "warnings": tuple(found.get("warnings", ()))})


RESULT_FIELDS: Final = tuple(field.name for field in fields(Result))

#: Shown by names of the contract (`amount`, `errorCode`, `errorDescription`, `receipt`) or in another form.
_SHOWN_ELSEWHERE: Final = frozenset(
    {"paid_cents", "error_code", "error_description", "card_read_mode", "receipt", "warnings"}
)
_SHOWN: Final = tuple(name for name in RESULT_FIELDS if name not in _SHOWN_ELSEWHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One event that ends or doubts a payment, with its reason and result."""

    event: Event
    reason: str | None = None
    result: Result = Result()
    #: Masked details for the event in the payment's history.
    detail: dict[str, object] = field(default_factory=dict)


class Operation(StrEnum):
    """An operation on a terminal; the contract calls them Debit, Cancel and Credit."""

    DEBIT = "debit"
    REVERSAL = "reversal"
    CREDIT = "credit"


class Reason(StrEnum):
    """The reason of a payment's state, where the state alone does not say it."""

    #: unreachable: the terminal answered busy at once, or did not answer the identification in time.
    BUSY = "busy"
    #: unreachable: no connection came about within the tries, or it ended before the request was written.
    NO_CONNECTION = "no_connection"
    #: unreachable: the terminal's host name has no address.
    NO_ADDRESS = "no_address"
    #: unreachable: bytes came before the request was written, which is why it was not.
    UNEXPECTED_BYTES = "unexpected_bytes"
    #: unreachable: the write window closed before the request was written.
    NOT_SENT = "not_sent"
    #: expired: another payment held the terminal lock when the deadline passed.
    HELD = "held"
    #: expired: no worker claimed it before the deadline passed.
    NO_WORKER = "no_worker"
    #: cancelled: by its client.
    CALLER = "caller"
    #: cancelled: the broker was unavailable.
    BROKER_UNAVAILABLE = "broker_away"
    #: cancelled: conflicting evidence about an attempt of the order, or a reversal of it, locked the order.
    KEY_CLOSED = "key_closed"
    #: in_doubt: the connection was lost after the first byte was written.
    CONNECTION_LOST = "connection_lost"
    #: in_doubt: the terminal was silent until the answer time-out.
    ANSWER_TIMEOUT = "answer_timeout"
    #: in_doubt: the bytes that came back are no readable answer.
    UNREADABLE = "unreadable"
    #: in_doubt: the answer contradicts its request.
    CONTRADICTING_ANSWER = "contradicting_answer"
    #: in_doubt: the answer's amount is lower than asked and the terminal is not known for partial payment.
    AMOUNT_LOWER = "amount_lower"
    #: in_doubt: done without any sign of a card, as a terminal in immediate mode says 'request taken'.
    NO_SIGN_OF_CARD = "no_sign_of_card"
    #: in_doubt: the worker ended, or was stopped, in the middle of the session.
    WORKER_LOST = "worker_lost"
    #: in_doubt: the database was restored from a backup that knows it as queued or in session.
    RESTORED = "restored"
    #: aborted: an operator found that nothing was charged.
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One attempt of an order on one terminal. Times are milliseconds since 1970 UTC, amounts cents."""

    id: str
    merchant_id: str
    order_id: str
    operation: Operation
    state: State
    reason: str | None
    #: The amount asked for.
    amount_cents: int
    currency: str
    #: `ConcertV3.1` or `ConcertV3.2`.
    protocol: str
    #: As the order or the terminal's entry asks for it.
    force_authorization: bool
    #: As the client sent them, or as the terminal is registered.
    host: str
    port: int
    #: Two digits, the protocol's field CA.
    pos_number: str
    #: The literal `address:port` that the worker connects to; None where the host has no address.
    terminal_address: str | None
    #: The request's JSON text, defaults filled in.
    request: str
    #: The merchant's only endpoint that is notified, where the order names one; None: every subscribed one.
    webhook_endpoint_id: str | None = None
    idempotency_key: str | None
    #: The debit that a reversal or credit belongs to, where it is known here.
    debit_id: str | None
    #: Set while this attempt blocks others of the same operation.
    guard_key: str | None
    reply_to: str | None
    #: Evidence conflicts with the final state.
    contradicted: bool
    #: The order is locked for review: evidence conflicts with an attempt of its operation, or with a reversal
    #: of its debit. It takes no further attempt.
    key_closed: bool = False
    #: The queue of the payment's last publication names it until then.
    deadline_at: int
    created_at: int
    claimed_at: int | None
    ended_at: int | None
    #: When its outcome became unknown; stays once it is known.
    doubted_at: int | None = None
    #: The evidence that settled the doubt: `late_answer`, `enquiry`, `gateway` or `operator`.
    resolved_by: str | None = None
    #: The origin of that proof: the worker's id, the gateway's credential or the operator's name.
    proved_by: str | None = None
    #: Since when another payment held the terminal lock, where this one expired because of it.
    held_since: int | None
    #: Empty but for the order's warnings until a terminal's answer or a proof is stored.
    result: Result = field(default_factory=Result)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def paid_or_asked_cents(self) -> int:
        """The cents really paid, else the cents asked for."""
        return self.amount_cents if self.result.paid_cents is None else self.result.paid_cents

    @property
    def terminal_id(self) -> str | None:
        """The registered terminal that the order names; None where it names an address."""
        return terminal_id_of(self.request)


def terminal_id_of(request: str) -> str | None:
    """Return the `terminal_id` that a request's JSON text names."""
    technical = json.loads(request).get("pos_technical_info", {})
    terminal_id: str | None = technical.get("terminal_id")
    return terminal_id
