"""For each alert the series that raise it, beside those of a healthy installation; in promtool's notation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: Samples, one a minute. A rate over six hours of which one is known is that of the one.
MINUTES: Final = 70
ORDER: Final = 'route="/v1/connector/order"'


def steady(value: float) -> str:
    return f"{value:g}x{MINUTES}"


def growing(by: float) -> str:
    """Return a counter that grows by so much a minute."""
    return f"0+{by:g}x{MINUTES}"


HEALTHY: Final[Mapping[str, str]] = {
    'up{job="api", instance="a"}': steady(1),
    'up{job="terminal-worker", instance="w"}': steady(1),
    'up{job="notifier-worker", instance="n"}': steady(1),
    f"cloud_terminal_http_request_duration_seconds_count{{{ORDER}}}": growing(6000),
    f'cloud_terminal_http_errors_total{{{ORDER}, code="undefined.internal.server.error"}}': steady(0),
    # A client's own error is no failure of ours.
    f'cloud_terminal_http_errors_total{{{ORDER}, code="required.openapi.requestValidation"}}': growing(600),
    'cloud_terminal_payments_total{outcome="succeeded", reason=""}': growing(5000),
    'cloud_terminal_payments_oldest_age_seconds{state="in_doubt"}': steady(200),
    "cloud_terminal_contradictions_total": steady(3),
    "cloud_terminal_orphans_total": steady(0),
    "cloud_terminal_terminal_locks_overdue": steady(0),
    "cloud_terminal_terminal_lock_takeovers_total": steady(7),
    'cloud_terminal_terminal_workers{state="stale"}': steady(0),
    'rabbitmq_detailed_queue_consumers{vhost="/", queue="ct.payments"}': steady(2),
    'rabbitmq_detailed_queue_messages_ready{vhost="/", queue="ct.payments"}': steady(3),
    'rabbitmq_detailed_queue_consumers{vhost="/", queue="ct.payments.dead"}': steady(0),
    'rabbitmq_detailed_queue_messages_ready{vhost="/", queue="ct.payments.dead"}': steady(0),
    # HiPay's address is not set: nobody consumes, and there is nothing.
    'rabbitmq_detailed_queue_consumers{vhost="/", queue="ct.notify.hipay"}': steady(0),
    'rabbitmq_detailed_queue_messages_ready{vhost="/", queue="ct.notify.hipay"}': steady(0),
    "cloud_terminal_dead_letters_total": steady(2),
    'cloud_terminal_broker_connected{job="api", purpose="publish"}': steady(1),
    "cloud_terminal_broker_blocked": steady(0),
    "rabbitmq_alarms_memory_used_watermark": steady(0),
    "rabbitmq_alarms_free_disk_space_watermark": steady(0),
    'cloud_terminal_database_failures_total{job="api", kind="unavailable"}': steady(4),
    'cloud_terminal_database_failures_total{job="api", kind="busy"}': steady(4),
    'cloud_terminal_notifications_overdue_age_seconds{kind="merchant"}': steady(20),
    'cloud_terminal_notifications_oldest_age_seconds{kind="merchant"}': steady(3600),
    "cloud_terminal_session_slots_free": steady(50),
    "cloud_terminal_session_slots_used": steady(50),
    'cloud_terminal_event_loop_lag_seconds_bucket{job="api", instance="a", le="0.25"}': growing(120),
    'cloud_terminal_event_loop_lag_seconds_bucket{job="api", instance="a", le="1"}': growing(120),
    'cloud_terminal_event_loop_lag_seconds_bucket{job="api", instance="a", le="+Inf"}': growing(120),
    "cloud_terminal_purge_age_seconds": steady(86_400),
    'node_filesystem_avail_bytes{instance="m", mountpoint="/", fstype="ext4"}': steady(40e9),
    'node_filesystem_size_bytes{instance="m", mountpoint="/", fstype="ext4"}': steady(100e9),
    "rabbitmq_disk_space_available_bytes": steady(40e9),
    "rabbitmq_disk_space_available_limit_bytes": steady(1e9),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault: the series that differ from a healthy installation. `also` are alerts that it raises, too."""

    series: Mapping[str, str]
    also: tuple[str, ...] = ()
    #: Series that are missing.
    missing: tuple[str, ...] = ()
    #: Minutes until the alert fires, and at which it does not yet.
    fires_after: int = 10
    silent_at: int | None = None
    #: A fault that is too short or too small to raise it.
    harmless: Mapping[str, str] = field(default_factory=dict)


def _errors(by: float) -> dict[str, str]:
    return {
        f'cloud_terminal_http_errors_total{{{ORDER}, code="undefined.internal.server.error"}}': growing(by)
    }


def _one(name: str, value: str) -> dict[str, str]:
    [key] = [key for key in HEALTHY if key == name or key.startswith(name)]
    return {key: value}


SCENARIOS: Final[Mapping[str, Scenario]] = {
    # 2% of the orders fail.
    "PaymentObjectiveBurnsFast": Scenario(
        _errors(120), also=("PaymentObjectiveBurnsSlow",), fires_after=20, harmless=_errors(6)
    ),
    # 0.8% fail: nobody is woken.
    "PaymentObjectiveBurnsSlow": Scenario(_errors(48), fires_after=30, harmless=_errors(6)),
    "OldDoubt": Scenario(
        _one('cloud_terminal_payments_oldest_age_seconds{state="in_doubt"}', f"0+60x{MINUTES}"),
        fires_after=20,
        silent_at=15,
    ),
    "Contradiction": Scenario(_one("cloud_terminal_contradictions_total", "3x5 4x60"), fires_after=8),
    "OrphanedPayment": Scenario(_one("cloud_terminal_orphans_total", "0x5 1x60"), fires_after=8),
    "TerminalLocksOverdue": Scenario(
        _one("cloud_terminal_terminal_locks_overdue", f"0x5 1x{MINUTES}"), fires_after=9, silent_at=7
    ),
    "TerminalLocksTakenOver": Scenario(
        _one("cloud_terminal_terminal_lock_takeovers_total", "7x5 8x60"), fires_after=8
    ),
    "StaleWorkers": Scenario(
        _one('cloud_terminal_terminal_workers{state="stale"}', f"0x2 1x{MINUTES}"),
        fires_after=10,
        silent_at=6,
    ),
    "NoTerminalWorker": Scenario(
        {'up{job="terminal-worker", instance="w"}': f"1x2 0x{MINUTES}"}, also=("ProcessDown",), silent_at=3
    ),
    "NoApi": Scenario({}, missing=('up{job="api", instance="a"}',), fires_after=3),
    "NoNotifierWorker": Scenario(
        {'up{job="notifier-worker", instance="n"}': f"1x2 0x{MINUTES}"}, also=("ProcessDown",), silent_at=3
    ),
    "ProcessDown": Scenario({'up{job="api", instance="b"}': f"1x2 0x{MINUTES}"}, silent_at=4),
    "QueueWithoutConsumers": Scenario(
        {'rabbitmq_detailed_queue_consumers{vhost="/", queue="ct.payments"}': f"2x2 0x{MINUTES}"}, silent_at=3
    ),
    "DeadLetters": Scenario(_one("cloud_terminal_dead_letters_total", "2x5 3x60"), fires_after=8),
    "BrokerUnavailable": Scenario(
        _one("cloud_terminal_broker_connected", f"1x2 0x{MINUTES}"),
        silent_at=3,
        harmless=_one("cloud_terminal_broker_connected", f"1x8 0 1x{MINUTES}"),
    ),
    "BrokerBlocked": Scenario(_one("cloud_terminal_broker_blocked", f"0x2 1x{MINUTES}"), silent_at=3),
    "DatabaseUnavailable": Scenario(
        _one('cloud_terminal_database_failures_total{job="api", kind="unavailable"}', growing(5)),
        silent_at=3,
        # One connection was lost.
        harmless=_one('cloud_terminal_database_failures_total{job="api", kind="unavailable"}', "4x7 5x60"),
    ),
    "DatabaseBusy": Scenario(
        _one('cloud_terminal_database_failures_total{job="api", kind="busy"}', growing(5))
    ),
    "NotificationsLate": Scenario(
        _one("cloud_terminal_notifications_overdue_age_seconds", f"0+60x{MINUTES}"), silent_at=4
    ),
    "NotificationsNotTaken": Scenario(
        _one("cloud_terminal_notifications_oldest_age_seconds", f"21000+60x{MINUTES}"),
        fires_after=25,
        silent_at=15,
    ),
    "SessionSlotsUsedUp": Scenario({"cloud_terminal_session_slots_free": f"50x2 0x{MINUTES}"}, silent_at=3),
    # One wake-up in ten is late.
    "EventLoopLate": Scenario(
        {'cloud_terminal_event_loop_lag_seconds_bucket{job="api", instance="a", le="0.25"}': growing(108)},
        fires_after=20,
    ),
    "PurgeOverdue": Scenario(
        _one("cloud_terminal_purge_age_seconds", f"258600+60x{MINUTES}"), fires_after=25, silent_at=15
    ),
    "DiskFull": Scenario(
        _one("node_filesystem_avail_bytes", f"40e9x2 5e9x{MINUTES}"), fires_after=10, silent_at=5
    ),
}
