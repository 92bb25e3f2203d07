"""The state machine of a payment as one table.

Rule 1. Only this file says which state follows which: storage writes what `apply` returns, and PostgreSQL's
functions, which name states in their SQL, are compared with the table by a test.
Rule 2. This file knows no SQL, AMQP, HTTP or clock.
Rule 3. Nothing leads from `in_session` back to `queued`: an operation's bytes are written to a terminal
at most once, so a payment that a worker once claimed is never waiting again.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """A payment's state; API and database use the text."""

    #: Accepted and stored, no byte sent. A worker's claim moves it on, or its deadline (30 s) ends it.
    QUEUED = "queued"
    #: A worker holds the terminal lock for it; its bytes may be on their way. At most one session's time.
    IN_SESSION = "in_session"
    #: The request may have reached the terminal and there is no valid answer. Only a proof moves it on.
    IN_DOUBT = "in_doubt"
    #: The terminal did it: for a debit the money moved. Final.
    SUCCEEDED = "succeeded"
    #: The terminal or the card's bank said no. Final.
    REFUSED = "refused"
    #: The customer or cashier gave up at the terminal, or was too slow. Final.
    ABORTED = "aborted"
    #: Certainly nothing was sent to the terminal, or it answered busy at once. Final.
    UNREACHABLE = "unreachable"
    #: The deadline passed while queued: nothing was ever sent. Final.
    EXPIRED = "expired"
    #: Stopped while queued: nothing was ever sent. Final.
    CANCELLED = "cancelled"


class Event(StrEnum):
    """An event in a payment's life; one event, one possible next state."""

    #: By a worker: it acquired the terminal lock, before any byte is sent.
    CLAIMED = "claimed"
    #: By a claim, a sweep or a waiting API: the deadline was found passed, nothing was ever sent.
    DEADLINE_PASSED = "deadline_passed"
    #: By the client, by the API when the broker is unavailable, or because the order is locked for review.
    CANCELLED = "cancelled"
    #: By the session: the terminal's answer says that it did the operation.
    ANSWERED_DONE = "answered_done"
    #: By the session: the terminal's answer says that it or the bank refused.
    ANSWERED_REFUSED = "answered_refused"
    #: By the session: the terminal's answer says that customer or cashier gave up.
    ANSWERED_ABORTED = "answered_aborted"
    #: By the session: the terminal answered busy at once.
    ANSWERED_BUSY = "answered_busy"
    #: By the session, a takeover or the orphan scan: the request may have arrived, without a valid answer.
    OUTCOME_LOST = "outcome_lost"
    #: By the run that claimed it: it gave up before its write.
    NOT_SENT = "not_sent"
    #: By evidence that proves it: a late answer, an enquiry, the gateway, an operator.
    PROVED_DONE = "proved_done"
    #: By a late answer that says refused.
    PROVED_REFUSED = "proved_refused"
    #: By a late answer that says aborted, or an operator who says 'not charged'.
    PROVED_ABORTED = "proved_aborted"


class IllegalTransition(Exception):
    """Raised when an event does not apply to a state; the payment stays as it is."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a payment that is {state} cannot be {event}")
        self.state = state
        self.event = event


TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    State.QUEUED: {
        Event.CLAIMED: State.IN_SESSION,
        Event.DEADLINE_PASSED: State.EXPIRED,
        Event.CANCELLED: State.CANCELLED,
    },
    State.IN_SESSION: {
        Event.ANSWERED_DONE: State.SUCCEEDED,
        Event.ANSWERED_REFUSED: State.REFUSED,
        Event.ANSWERED_ABORTED: State.ABORTED,
        Event.ANSWERED_BUSY: State.UNREACHABLE,
        Event.OUTCOME_LOST: State.IN_DOUBT,
        Event.NOT_SENT: State.UNREACHABLE,
    },
    State.IN_DOUBT: {
        Event.PROVED_DONE: State.SUCCEEDED,
        Event.PROVED_REFUSED: State.REFUSED,
        Event.PROVED_ABORTED: State.ABORTED,
        Event.NOT_SENT: State.UNREACHABLE,
    },
    State.SUCCEEDED: {},
    State.REFUSED: {},
    State.ABORTED: {},
    State.UNREACHABLE: {},
    State.EXPIRED: {},
    State.CANCELLED: {},
}

#: A payment begins `queued`, or `unreachable` where its terminal's host name has no address.
FIRST_STATES: Final = frozenset({State.QUEUED, State.UNREACHABLE})

FINAL_STATES: Final = frozenset(state for state, moves in TRANSITIONS.items() if not moves)

#: While a payment is in one of these, no other attempt of the same operation may exist.
BLOCKING_STATES: Final = frozenset({State.QUEUED, State.IN_SESSION, State.IN_DOUBT, State.SUCCEEDED})

#: The outcome is still open.
LIVE_STATES: Final = BLOCKING_STATES - {State.SUCCEEDED}


def apply(state: State, event: Event) -> State:
    """Return the state that follows; raise IllegalTransition where none does."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None
