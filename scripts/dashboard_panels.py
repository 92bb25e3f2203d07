"""The dashboards' panels: titles, units, and queries with their legends."""

from dataclasses import dataclass
from typing import Final

CT: Final = "cloud_terminal_"


@dataclass(frozen=True)
class Panel:
    """A panel: title, unit of Grafana, and its queries with their legends."""

    title: str
    unit: str
    queries: dict[str, str]
    kind: str = "timeseries"


def p99(metric: str, by: str = "", where: str = "") -> str:
    """Return the query of a histogram's 99th percentile."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile(0.99, sum by ({labels}) (rate({CT}{metric}_bucket{where}[$__rate_interval])))"


def rate(metric: str, by: str, where: str = "") -> str:
    return f"sum by ({by}) (rate({CT}{metric}{where}[$__rate_interval]))"


INSTANCE: Final = '{instance=~"$instance"}'
KIND: Final = '{kind=~"$kind"}'

OVERVIEW: Final = [
    Panel("Payments by outcome", "ops", {"{{outcome}}": "sum by (outcome) (cloud_terminal:payments:rate5m)"}),
    Panel(
        "Orders that failed by our fault",
        "percentunit",
        {
            "1 h": "cloud_terminal:order_failures:ratio_rate1h",
            "5 min": "cloud_terminal:order_failures:ratio_rate5m",
        },
    ),
    Panel(
        "Alerts that fire", "none", {"{{alertname}}": 'count by (alertname) (ALERTS{alertstate="firing"})'}
    ),
    Panel("Open payments", "none", {"{{state}}": "cloud_terminal:payments_open:max"}),
    Panel("Oldest open payment", "s", {"{{state}}": f"max by (state) ({CT}payments_oldest_age_seconds)"}),
    Panel("Requests by status", "ops", {"{{status}}": rate("http_requests_total", "status", INSTANCE)}),
    Panel(
        "Requests in flight and waiting",
        "none",
        {
            "in flight": f"sum({CT}http_requests_in_flight{INSTANCE})",
            "waiting for a result": f"sum({CT}requests_waiting{INSTANCE})",
        },
    ),
    Panel("Errors by code", "ops", {"{{code}}": rate("http_errors_total", "code", INSTANCE)}),
    Panel(
        "Duration of other routes, p99",
        "s",
        {"{{route}}": 'cloud_terminal:http_request_duration_seconds:p99_5m{route!="/v1/connector/order"}'},
    ),
    Panel(
        "The system's own time, p99",
        "s",
        {
            "added to the session": "cloud_terminal:added_latency_seconds:p99_5m",
            "in the queue": "cloud_terminal:queue_wait_seconds:p99_5m",
        },
    ),
    Panel(
        "Refused connections",
        "ops",
        {"{{reason}}": rate("http_connections_refused_total", "reason", INSTANCE)},
    ),
    Panel("Versions", "none", {"{{job}} {{version}}": f"count by (job, version) ({CT}build_info)"}),
]
TERMINALS: Final = [
    Panel(
        "Sessions by outcome",
        "ops",
        {"{{outcome}}": rate("payments_total", "outcome", '{job="terminal-worker"}')},
    ),
    Panel(
        "Doubts and failures by reason",
        "ops",
        {
            "{{outcome}} {{reason}}": rate(
                "payments_total", "outcome, reason", '{outcome=~"in_doubt|unreachable|expired"}'
            )
        },
    ),
    Panel(
        "Duration of sessions",
        "s",
        {
            "p50 {{operation}}": f"histogram_quantile(0.5, sum by (le, operation) "
            f"(rate({CT}session_duration_seconds_bucket{INSTANCE}[$__rate_interval])))",
            "p99 {{operation}}": p99("session_duration_seconds", "operation", INSTANCE),
        },
    ),
    Panel(
        "Failed connections by reason",
        "ops",
        {"{{reason}}": rate("terminal_connect_failures_total", "reason", INSTANCE)},
    ),
    Panel("Terminals locked", "none", {"{{holder}}": f"max by (holder) ({CT}terminals_locked)"}),
    Panel("Locks beyond their lease", "none", {"overdue": f"max({CT}terminal_locks_overdue)"}),
    Panel(
        "Session slots",
        "none",
        {
            "used": f"sum({CT}session_slots_used{INSTANCE})",
            "free": f"sum({CT}session_slots_free{INSTANCE})",
        },
    ),
    Panel("Workers", "none", {"{{state}}": f"max by (state) ({CT}terminal_workers)"}),
    Panel(
        "Takeovers, orphans, contradictions in an hour",
        "none",
        {
            "takeovers": f"sum(increase({CT}terminal_lock_takeovers_total[1h]))",
            "orphans": f"sum(increase({CT}orphans_total[1h]))",
            "contradictions": f"sum(increase({CT}contradictions_total[1h]))",
        },
    ),
    Panel("Doubts settled by", "ops", {"{{source}}": rate("doubt_duration_seconds_count", "source")}),
    Panel("Duration of doubts, p99", "s", {"{{source}}": p99("doubt_duration_seconds", "source")}),
    Panel(
        "Results by way",
        "ops",
        {
            "{{way}}": rate("replies_total", "way"),
            "lost: {{cause}}": rate("replies_lost_total", "cause"),
        },
    ),
]
NOTIFICATIONS: Final = [
    Panel("Deliveries", "ops", {"{{kind}}": rate("notifications_sent_total", "kind", KIND)}),
    Panel(
        "Failed attempts",
        "ops",
        {"{{kind}} {{error}}": rate("notifications_failed_total", "kind, error", KIND)},
    ),
    Panel("Given up", "ops", {"{{kind}} {{reason}}": rate("notifications_dead_total", "kind, reason", KIND)}),
    Panel("Waiting", "none", {"{{kind}}": f"max by (kind) ({CT}notifications_waiting{KIND})"}),
    Panel(
        "Due and not sent", "s", {"{{kind}}": f"max by (kind) ({CT}notifications_overdue_age_seconds{KIND})"}
    ),
    Panel(
        "Oldest that waits", "s", {"{{kind}}": f"max by (kind) ({CT}notifications_oldest_age_seconds{KIND})"}
    ),
    Panel(
        "Lag of first attempts, p99",
        "s",
        {"{{kind}}": f"cloud_terminal:notification_first_attempt_lag_seconds:p99_5m{KIND}"},
    ),
    Panel(
        "Lag of deliveries, p99", "s", {"{{kind}}": p99("notification_delivery_lag_seconds", "kind", KIND)}
    ),
    Panel(
        "Duration of an attempt, p99",
        "s",
        {"{{kind}}": p99("notification_attempt_duration_seconds", "kind", KIND)},
    ),
    Panel("Under way", "none", {"{{kind}}": f"sum by (kind) ({CT}notifications_under_way{KIND})"}),
    Panel("Paused endpoints", "none", {"paused": f"max({CT}notification_targets_paused)"}),
]
SERVERS: Final = [
    Panel(
        "Connections to RabbitMQ",
        "none",
        {"{{job}} {{purpose}}": f"min by (job, purpose) ({CT}broker_connected)"},
    ),
    Panel("Reconnects", "ops", {"{{job}} {{purpose}}": rate("broker_reconnects_total", "job, purpose")}),
    Panel(
        "Messages not confirmed, dead letters",
        "ops",
        {
            "{{job}} {{kind}}": rate("publish_failures_total", "job, kind"),
            "dead-lettered by {{job}}": rate("dead_letters_total", "job"),
        },
    ),
    Panel(
        "Messages that wait",
        "none",
        {"{{queue}}": 'sum by (queue) (rabbitmq_detailed_queue_messages_ready{queue!~".*reply.*"})'},
    ),
    Panel(
        "Consumers",
        "none",
        {"{{queue}}": 'sum by (queue) (rabbitmq_detailed_queue_consumers{queue!~".*reply.*"})'},
    ),
    Panel(
        "RabbitMQ's alarms",
        "none",
        {
            "memory": "max(rabbitmq_alarms_memory_used_watermark)",
            "disk": "max(rabbitmq_alarms_free_disk_space_watermark)",
            "publishers blocked": f"max({CT}broker_blocked)",
        },
    ),
    Panel(
        "RabbitMQ's memory",
        "bytes",
        {
            "used": "sum(rabbitmq_process_resident_memory_bytes)",
            "limit": "sum(rabbitmq_resident_memory_limit_bytes)",
        },
    ),
    Panel(
        "Duration of database calls, p99",
        "s",
        {"{{job}} {{call}}": "cloud_terminal:database_call_duration_seconds:p99_5m"},
    ),
    Panel(
        "Database calls",
        "ops",
        {"{{job}} {{call}}": rate("database_call_duration_seconds_count", "job, call")},
    ),
    Panel("Database failures", "ops", {"{{job}} {{kind}}": rate("database_failures_total", "job, kind")}),
    Panel(
        "Database connections",
        "none",
        {
            "{{job}} in use": f"sum by (job) ({CT}database_connections_in_use)",
            "{{job}} limit": f"sum by (job) ({CT}database_connections_limit)",
            "{{job}} calls that wait": f"sum by (job) ({CT}database_calls_waiting)",
        },
    ),
    Panel("Size of the database", "bytes", {"size": f"max({CT}database_size_bytes)"}),
]
CAPACITY: Final = [
    Panel(
        "Processor time a process",
        "percentunit",
        {"{{job}} {{instance}}": 'rate(process_cpu_seconds_total{job=~"$job"}[$__rate_interval])'},
    ),
    Panel(
        "Processor time a payment",
        "s",
        {
            "{{job}}": 'sum by (job) (rate(process_cpu_seconds_total{job=~"$job"}[$__rate_interval]))'
            " / on () group_left () "
            f'sum(rate({CT}payments_total{{outcome!="in_doubt"}}[$__rate_interval]))'
        },
    ),
    Panel(
        "Memory a process", "bytes", {"{{job}} {{instance}}": 'process_resident_memory_bytes{job=~"$job"}'}
    ),
    Panel(
        "Event loop lag, p99",
        "s",
        {"{{job}} {{instance}}": 'cloud_terminal:event_loop_lag_seconds:p99_5m{job=~"$job"}'},
    ),
    Panel("Use of session slots", "percentunit", {"used": "cloud_terminal:session_slots:utilisation"}),
    Panel("Processes", "none", {"{{job}}": 'sum by (job) (up{job=~"$job"})'}),
    Panel("Open files", "none", {"{{job}} {{instance}}": 'process_open_fds{job=~"$job"}'}),
    Panel(
        "Free disk",
        "percentunit",
        {
            "{{instance}} {{mountpoint}}": "node_filesystem_avail_bytes"
            '{fstype!~"tmpfs|overlay|squashfs|ramfs"} / node_filesystem_size_bytes',
            "RabbitMQ, above its limit": "1 - rabbitmq_disk_space_available_limit_bytes / "
            "rabbitmq_disk_space_available_bytes",
        },
    ),
    Panel("Payments a second", "ops", {"ended": "sum(cloud_terminal:payments:rate5m)"}),
    Panel(
        "Age of the last purge, and of the oldest payment",
        "s",
        {
            "last purge": f"max({CT}purge_age_seconds)",
            "oldest payment": f"max({CT}oldest_payment_age_seconds)",
        },
    ),
    Panel(
        "Rows purged",
        "none",
        {"{{table}}": f"sum by (table) (increase({CT}purged_rows_total[$__range]))"},
    ),
]
DASHBOARDS: Final = {
    "overview": ("Overview", OVERVIEW, {"instance": f"{CT}http_requests_in_flight, instance"}),
    "terminals": ("Terminals", TERMINALS, {"instance": f"{CT}session_slots_used, instance"}),
    "notifications": ("Notifications", NOTIFICATIONS, {"kind": f"{CT}notifications_waiting, kind"}),
    "servers": ("RabbitMQ and PostgreSQL", SERVERS, {}),
    "capacity": ("Capacity", CAPACITY, {"job": f"{CT}build_info, job"}),
}
