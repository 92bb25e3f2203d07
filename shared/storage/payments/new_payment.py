"""A new payment, and the results of its acceptance."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.payment.order_guard import is_same_terminal, operation_key
from shared.payment.payment import Operation, Payment, terminal_id_of
from shared.payment.states import State
from shared.storage.payments import idempotency
from shared.storage.payments.rows import json_text


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A payment to be accepted; `terminal_address` is None where the terminal's host name has no address.

    Of a request that is refused, `host` is empty where its `terminal_id` is not known.
    """

    id: str
    merchant_id: str
    order_id: str
    operation: Operation
    idempotency_key: str | None
    amount_cents: int
    currency: str
    protocol: str
    force_authorization: bool
    host: str
    port: int
    terminal_address: str | None
    pos_number: str
    profile: str
    request: str
    #: The only endpoint that is notified, where the order names one.
    webhook_endpoint_id: str | None = None
    #: A reversal or credit goes to the terminal although its order has no debit here.
    passes_unknown: bool = False
    #: HiPay gets an order notification.
    notifies_hipay: bool = False
    reply_to: str | None
    traceparent: str | None
    #: The id of the HTTP request; kept in the history's first entry.
    request_id: str | None = None
    deadline_seconds: float
    warnings: Sequence[str]

    @property
    def named(self) -> idempotency.NamedOperation | None:
        """Return the operation that the client's Idempotency-Key names; None without a key."""
        if self.idempotency_key is None:
            return None
        return idempotency.NamedOperation(
            self.merchant_id,
            self.idempotency_key,
            self.order_id,
            self.operation,
            self.amount_cents,
            self.currency,
        )

    @property
    def origin(self) -> dict[str, object]:
        """Return what the history's first entry says of the request."""
        return {} if self.request_id is None else {"request_id": self.request_id}

    @property
    def debit_key(self) -> str:
        """Return the operation key of the order's debit."""
        return operation_key(
            Operation.DEBIT,
            self.order_id,
            debit_id=None,
            amount_cents=self.amount_cents,
            idempotency_key=None,
        )

    def values(self) -> dict[str, object]:
        """Return the parameters that every statement of an acceptance has."""
        return {
            "id": self.id,
            "merchant_id": self.merchant_id,
            "order_id": self.order_id,
            "idempotency_key": self.idempotency_key,
            "amount_cents": self.amount_cents,
            "currency": self.currency,
            "protocol": self.protocol,
            "force_authorization": self.force_authorization,
            "host": self.host,
            "port": self.port,
            "terminal_address": self.terminal_address,
            "pos_number": self.pos_number,
            "profile": self.profile,
            "request": self.request,
            "webhook_endpoint_id": self.webhook_endpoint_id,
            "reply_to": self.reply_to,
            "traceparent": self.traceparent,
            "deadline_ms": int(self.deadline_seconds * 1000),
            "warnings": json_text(list(self.warnings)),
        }

    def means_terminal_of(self, attempt: Payment) -> bool:
        """Return True if the request goes to the terminal of an earlier attempt."""
        return is_same_terminal(
            attempt,
            terminal_address=self.terminal_address,
            host=self.host,
            port=self.port,
            terminal_id=terminal_id_of(self.request),
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored payment: `queued`, or `unreachable` where the terminal's host name has no address."""

    payment_id: str
    state: State


@dataclass(frozen=True, slots=True)
class Attached:
    """An earlier attempt of the same operation, whose result is the response to this request."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class Conflict:
    """A 409 response: `reason` is a code, `payment` the attempt that blocks the request."""

    reason: str
    description: str
    payment: Payment


@dataclass(frozen=True, slots=True)
class UnknownOrder:
    """A 409 response: the order of a reversal or credit has no debit here, and its merchant requires one."""


@dataclass(frozen=True, slots=True)
class Contention:
    """A request that neither inserted nor attached within `GUARD_ROUNDS` rounds; the client may retry."""


#: Results that keep a request from being stored, or from being refused for another reason.
Earlier = Attached | Conflict | Contention

Acceptance = Accepted | UnknownOrder | Earlier


@dataclass(frozen=True, slots=True)
class Terms:
    """Times for which a stored result is replayed.

    A success is replayed for `replay_seconds` after its end; a credit without an idempotency key for
    `credit_replay_seconds`, since the next equal credit may be another one. A succeeded order releases its
    number after `guard_life_seconds`, at the earliest after its replay; None: never.
    """

    replay_seconds: float
    credit_replay_seconds: float
    guard_life_seconds: float | None = None

    def replay_ms(self, new: NewPayment) -> float:
        """Return the milliseconds after its end for which a success is replayed."""
        keyless_credit = new.operation is Operation.CREDIT and new.idempotency_key is None
        return 1000 * (self.credit_replay_seconds if keyless_credit else self.replay_seconds)

    def life_ms(self, new: NewPayment) -> int | None:
        """Return the milliseconds after which a succeeded order releases its number; None: never."""
        if self.guard_life_seconds is None:
            return None
        return int(max(self.replay_ms(new), 1000 * self.guard_life_seconds))
