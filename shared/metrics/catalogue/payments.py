"""Metrics of payments."""

from typing import Final

from shared.metrics.definition import API, WORKER, Metric
from shared.payment.evidence import Source
from shared.payment.payment import Operation, Reason
from shared.payment.states import State

#: A terminal's session: from an immediate refusal to a slow customer, and beyond the time-out.
SESSION_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240)
#: The system's own time beside a session.
ADDED_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
#: From acceptance to the claim.
WAIT_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
#: From a late answer to an operator's decision on the next morning.
DOUBT_BUCKETS: Final = (1, 5, 15, 45, 120, 300, 600, 1800, 7200, 28800, 86400)

OPEN_STATES: Final = (State.QUEUED, State.IN_SESSION, State.IN_DOUBT)
_OPERATIONS: Final = tuple(operation.value for operation in Operation)
_OPEN: Final = tuple(state.value for state in OPEN_STATES)

ENDED: Final = Metric(
    kind="counter",
    name="payments",
    help="Payments by the first outcome that was stored, doubt included; what settles a doubt later is in "
    "`doubt_duration_seconds`.",
    owners=(API, WORKER),
    labels={
        "operation": _OPERATIONS,
        "outcome": tuple(state.value for state in State if state not in (State.QUEUED, State.IN_SESSION)),
        "reason": ("", *(reason.value for reason in Reason), "other"),
    },
    # The objective's rule asks for them.
    begins_with=tuple((operation, "in_doubt", "worker_lost") for operation in _OPERATIONS),
    advice="More `unreachable`: terminals or their network; `terminal_connect_failures_total` says how. "
    "More `in_doubt`: see the reason; `worker_lost` means that workers die. `expired` for "
    "`no_worker`: start workers.",
)
SESSION_DURATION: Final = Metric(
    kind="histogram",
    name="session_duration_seconds",
    help="From the claim to the outcome of a terminal session.",
    owners=(WORKER,),
    labels={"operation": _OPERATIONS},
    buckets=SESSION_BUCKETS,
    advice="It is the customer's time. Many at the same bound: an answer time-out, as terminals that "
    "lost their network in the session cause.",
)
ADDED_LATENCY: Final = Metric(
    kind="histogram",
    name="added_latency_seconds",
    help="From an order to its result, less the terminal's session; orders that attach are left out.",
    owners=(API,),
    buckets=ADDED_BUCKETS,
    advice="The system's own time, and the wait for a terminal that another payment holds. Above 0.25 s: "
    "compare `queue_wait_seconds` (workers), `database_call_duration_seconds` (database) and "
    "`event_loop_lag_seconds` (processor).",
)
QUEUE_WAIT: Final = Metric(
    kind="histogram",
    name="queue_wait_seconds",
    help="From the acceptance of a payment to its claim.",
    owners=(WORKER,),
    buckets=WAIT_BUCKETS,
    advice="Waits of seconds are usual where two payments want one terminal. If most wait, all session "
    "slots are used or workers are missing: start more.",
)
OPEN: Final = Metric(
    kind="gauge",
    name="payments_open",
    help="Payments without a final outcome, by state.",
    owners=(WORKER,),
    labels={"state": _OPEN},
    is_shared=True,
    advice="`queued` that only grows: no worker takes payments. `in_doubt` that grows: see "
    "`payments_total` for the reason, and settle the old ones (`cloud-terminal` and the "
    "operators' API).",
)
OLDEST_AGE: Final = Metric(
    kind="gauge",
    name="payments_oldest_age_seconds",
    help="Age of the oldest payment in a state that is not final; 0: there is none.",
    owners=(WORKER,),
    labels={"state": _OPEN},
    is_shared=True,
    advice="A doubt older than its window (5 minutes) was settled by nobody: an operator has to look at the "
    "terminal's journal. A queued one above 30 s: nobody expires it, so no worker sweeps.",
)
WAITING_REQUESTS: Final = Metric(
    kind="gauge",
    name="requests_waiting",
    help="Requests of this process that wait for the result of a payment.",
    owners=(API,),
    advice="It should be close to `payments_open` of all states. Far above it: many requests wait for "
    "the same payments, so clients repeat their orders.",
)
REPLIES: Final = Metric(
    kind="counter",
    name="replies",
    help="Results that woke a waiting request: by the broker's reply, or by a look at the database.",
    owners=(API,),
    labels={"way": ("broker", "database")},
    advice="More than a few by way of the `database`: replies get lost; look at `replies_lost_total` and "
    "`broker_connected`. Results come up to 5 s late, and none is lost.",
)
REPLIES_LOST: Final = Metric(
    kind="counter",
    name="replies_lost",
    help="Replies that reached no API process.",
    owners=(API, WORKER),
    labels={"cause": ("requester_gone", "unreadable", "broker_unavailable")},
    advice="`requester_gone` after a restart of an API is usual. `unreadable`: processes of very different "
    "releases run together.",
)
ORPHANS: Final = Metric(
    kind="counter",
    name="orphans",
    help="Payments in session without a terminal lock; there should be none.",
    owners=(WORKER,),
    advice="Report it: a promise was broken. The payment is in doubt and is settled like any other.",
)
CONTRADICTIONS: Final = Metric(
    kind="counter",
    name="contradictions",
    help="Proofs that contradict the stored outcome of a payment.",
    owners=(API, WORKER),
    advice="An operator must check each: the list of contradicted payments names them, their orders are "
    "locked.",
)
DOUBT_DURATION: Final = Metric(
    kind="histogram",
    name="doubt_duration_seconds",
    help="From the beginning of a doubt to what settled it.",
    owners=(API, WORKER),
    labels={"source": tuple(source.value for source in Source)},
    buckets=DOUBT_BUCKETS,
    advice="More by `operator`: terminals answer no enquiry; see whether they support it and whether "
    "their network comes back in time.",
)

PAYMENTS: Final = (
    ENDED,
    SESSION_DURATION,
    ADDED_LATENCY,
    QUEUE_WAIT,
    OPEN,
    OLDEST_AGE,
    WAITING_REQUESTS,
    REPLIES,
    REPLIES_LOST,
    ORPHANS,
    CONTRADICTIONS,
    DOUBT_DURATION,
)
