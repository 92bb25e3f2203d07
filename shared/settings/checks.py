"""The limits checked against each other: one row a rule, each with the reason that it has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shared.settings.fields import variable
from shared.settings.limits import PaymentLimits

#: RabbitMQ's own consumer time-out: an unacknowledged delivery older than this closes the channel.
BROKER_CONSUMER_TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Check:
    """The sum of `left` must stand in `relation` to the sum of `right`; a number stands for itself."""

    left: tuple[str, ...]
    relation: Literal["<", "<="]
    right: tuple[str | float, ...]
    why: str


CHECKS = (
    Check(("connect_timeout_seconds",), "<=", ("connect_total_seconds",), "a try is part of all tries"),
    Check(
        ("identification_timeout_seconds",),
        "<=",
        ("connect_total_seconds",),
        "connecting and identification share that time",
    ),
    Check(
        ("connect_total_seconds",),
        "<",
        ("write_window_seconds",),
        "a connection made after the write window is of no use",
    ),
    Check(
        ("answer_timeout_seconds",),
        "<=",
        ("terminal_own_time_seconds",),
        "a terminal may still work when we stop waiting",
    ),
    Check(
        ("idle_end_known_seconds",),
        "<=",
        ("idle_end_seconds",),
        "the short silence is the one with more evidence",
    ),
    Check(("heartbeat_seconds",) * 3, "<=", ("worker_stale_seconds",), "a late heartbeat or two is no death"),
    Check(
        ("worker_stale_seconds",),
        "<",
        ("write_window_seconds", "tcp_user_timeout_seconds", "terminal_own_time_seconds"),
        "a dead worker's line is taken over before its doubt window ends",
    ),
    Check(
        ("write_window_seconds",),
        "<",
        ("takeover_free_after_seconds",),
        "the old worker may still write until then",
    ),
    Check(
        ("write_window_seconds", "tcp_user_timeout_seconds"),
        "<",
        ("early_release_after_seconds",),
        "bytes may still arrive until then",
    ),
    Check(
        ("connect_total_seconds", "enquiry_timeout_seconds", "idle_end_seconds"),
        "<",
        ("lease_after_doubt_seconds",),
        "an enquiry that begins at the doubt window's end is over before the hold ends",
    ),
    Check(
        ("queue_deadline_seconds", "write_window_seconds", "answer_timeout_seconds", "idle_end_seconds"),
        "<=",
        ("caller_wait_seconds",),
        "the slowest ordinary payment is answered with its result",
    ),
    Check(
        ("caller_wait_in_doubt_seconds",), "<=", ("caller_wait_seconds",), "it is part of the caller's wait"
    ),
    Check(
        ("caller_wait_seconds",), "<", ("proxy_timeout_seconds",), "the API answers before the proxy gives up"
    ),
    Check(
        ("write_window_seconds", "answer_timeout_seconds"),
        "<",
        ("worker_drain_seconds",),
        "a session that has begun is finished",
    ),
    Check(
        ("worker_drain_seconds",),
        "<",
        ("worker_stop_grace_seconds",),
        "the process ends by itself, not by SIGKILL",
    ),
    Check(("caller_wait_seconds",), "<", ("api_drain_seconds",), "a request that was accepted is answered"),
    Check(
        ("api_drain_seconds",), "<", ("api_stop_grace_seconds",), "the process ends by itself, not by SIGKILL"
    ),
    Check(("accept_wait_seconds",), "<", ("caller_wait_seconds",), "it is part of the caller's wait"),
    Check(
        ("publish_timeout_seconds",),
        "<",
        ("queue_deadline_seconds",),
        "a broker that is away is told to the caller, not found by the deadline",
    ),
    Check(
        ("sweep_interval_seconds",),
        "<=",
        ("republish_after_seconds",),
        "a message is not replaced before the sweep could see it",
    ),
    Check(
        ("reply_poll_seconds",),
        "<=",
        ("reply_poll_after_seconds",),
        "the poll is the rare way, the reply the usual one",
    ),
    Check(
        ("replay_window_unkeyed_credit_seconds",),
        "<=",
        ("replay_window_seconds",),
        "a credit without a key is the less certain one",
    ),
    Check(
        ("notify_connect_timeout_seconds",), "<=", ("notify_timeout_seconds",), "connecting is part of a try"
    ),
    Check(
        ("notify_timeout_seconds",),
        "<",
        ("notify_lease_seconds",),
        "a try is over, and stored, before another worker may begin one",
    ),
    Check(("notify_timeout_seconds",), "<=", ("notifier_drain_seconds",), "a try that has begun is finished"),
    Check(
        ("notifier_drain_seconds",),
        "<",
        ("notifier_stop_grace_seconds",),
        "the process ends by itself, not by SIGKILL",
    ),
    Check(
        ("write_window_seconds", "answer_timeout_seconds", "idle_end_seconds"),
        "<",
        (BROKER_CONSUMER_TIMEOUT_SECONDS,),
        "RabbitMQ takes an older delivery away (its consumer_timeout)",
    ),
)


def broken_checks(settings: PaymentLimits) -> list[str]:
    """Return one sentence for each rule that these settings break, naming every setting of it."""
    return list(_broken(settings))


def _broken(settings: PaymentLimits) -> Iterator[str]:
    for check in CHECKS:
        left = sum(_number(settings, term) for term in check.left)
        right = sum(_number(settings, term) for term in check.right)
        if not (left < right or (check.relation == "<=" and left == right)):
            relation = "below" if check.relation == "<" else "at most"
            this, that = f"{_terms(check.left)} ({left:g} s)", f"{_terms(check.right)} ({right:g} s)"
            yield f"{this} must be {relation} {that}: {check.why}"


def _number(settings: PaymentLimits, term: str | float) -> float:
    return float(getattr(settings, term)) if isinstance(term, str) else term


def _terms(terms: tuple[str | float, ...]) -> str:
    return " + ".join(variable(term) if isinstance(term, str) else f"RabbitMQ's {term:g} s" for term in terms)
