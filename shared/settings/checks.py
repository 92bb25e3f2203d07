"""Rules between settings, one row each, with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shared.settings.fields import variable
from shared.settings.limits import PaymentLimits

#: RabbitMQ's own consumer time-out: an unacknowledged delivery older than this closes the channel.
BROKER_CONSUMER_TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Check:
    """A rule: the sum of the settings `left` is in `relation` to the sum of `right` (settings or numbers)."""

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
        "a connection made after the write window is useless",
    ),
    Check(
        ("answer_timeout_seconds",),
        "<=",
        ("terminal_own_time_seconds",),
        "a terminal may still process a request whose answer has timed out",
    ),
    Check(
        ("idle_end_known_seconds",),
        "<=",
        ("idle_end_seconds",),
        "the shorter silence needs the stronger evidence",
    ),
    Check(
        ("heartbeat_seconds",) * 3, "<=", ("worker_stale_seconds",), "a worker survives two late heartbeats"
    ),
    Check(
        ("worker_stale_seconds",),
        "<",
        ("write_window_seconds", "tcp_user_timeout_seconds", "terminal_own_time_seconds"),
        "a dead worker's terminal lock is taken over before its doubt window ends",
    ),
    Check(
        ("write_window_seconds",),
        "<",
        ("takeover_free_after_seconds",),
        "the previous worker may still write until then",
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
        "an enquiry that begins at the doubt window's end is over before the lease ends",
    ),
    Check(
        ("queue_deadline_seconds", "write_window_seconds", "answer_timeout_seconds", "idle_end_seconds"),
        "<=",
        ("caller_wait_seconds",),
        "the slowest regular payment is answered with its result",
    ),
    Check(
        ("caller_wait_in_doubt_seconds",), "<=", ("caller_wait_seconds",), "it is part of the request's wait"
    ),
    Check(
        ("caller_wait_seconds",),
        "<",
        ("proxy_timeout_seconds",),
        "the API answers before the proxy times out",
    ),
    Check(
        ("write_window_seconds", "answer_timeout_seconds"),
        "<",
        ("worker_drain_seconds",),
        "a running session is finished",
    ),
    Check(
        ("worker_drain_seconds",),
        "<",
        ("worker_stop_grace_seconds",),
        "the process ends before SIGKILL",
    ),
    Check(("caller_wait_seconds",), "<", ("api_drain_seconds",), "an accepted request is answered"),
    Check(
        ("api_unready_seconds", "api_drain_seconds"),
        "<",
        ("api_stop_grace_seconds",),
        "the process ends before SIGKILL",
    ),
    Check(("accept_wait_seconds",), "<", ("caller_wait_seconds",), "it is part of the request's wait"),
    Check(
        ("publish_timeout_seconds",),
        "<",
        ("queue_deadline_seconds",),
        "an unavailable broker is reported before the payment's deadline",
    ),
    Check(
        ("sweep_interval_seconds",),
        "<=",
        ("republish_after_seconds",),
        "the sweep sees a payment before it publishes it again",
    ),
    Check(
        ("reply_poll_seconds",),
        "<=",
        ("reply_poll_after_seconds",),
        "usually the broker's reply comes before the first poll",
    ),
    Check(
        ("replay_window_unkeyed_credit_seconds",),
        "<=",
        ("replay_window_seconds",),
        "a repeated credit without a key is more likely to be meant",
    ),
    Check(
        ("notify_connect_timeout_seconds",),
        "<=",
        ("notify_timeout_seconds",),
        "connecting is part of an attempt",
    ),
    Check(
        ("notify_timeout_seconds",),
        "<",
        ("notify_lease_seconds",),
        "an attempt is stored before another worker may begin one",
    ),
    Check(("notify_timeout_seconds",), "<=", ("notifier_drain_seconds",), "a running attempt is finished"),
    Check(
        ("notifier_drain_seconds",),
        "<",
        ("notifier_stop_grace_seconds",),
        "the process ends before SIGKILL",
    ),
    Check(
        ("write_window_seconds", "answer_timeout_seconds", "idle_end_seconds"),
        "<",
        (BROKER_CONSUMER_TIMEOUT_SECONDS,),
        "RabbitMQ takes back a delivery that is not acknowledged by then (consumer_timeout)",
    ),
)


def broken_checks(settings: PaymentLimits) -> list[str]:
    """Return one sentence for each broken rule, with the names and values of its settings."""
    return list(_broken(settings))


def _broken(settings: PaymentLimits) -> Iterator[str]:
    for check in CHECKS:
        left = sum(_number(settings, term) for term in check.left)
        right = sum(_number(settings, term) for term in check.right)
        if not (left < right or (check.relation == "<=" and left == right)):
            relation = "below" if check.relation == "<" else "at most"
            yield (
                f"{_terms(check.left)} ({left:g} s) must be {relation} {_terms(check.right)} ({right:g} s): "
                f"{check.why}"
            )


def _number(settings: PaymentLimits, term: str | float) -> float:
    return float(getattr(settings, term)) if isinstance(term, str) else term


def _terms(terms: tuple[str | float, ...]) -> str:
    return " + ".join(variable(term) if isinstance(term, str) else f"RabbitMQ's {term:g} s" for term in terms)
