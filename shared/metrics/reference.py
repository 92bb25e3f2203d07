"""The metrics' reference page, generated from their definitions."""

import sys
from typing import Final

from shared.metrics.catalogue.broker import BROKER
from shared.metrics.catalogue.database import DATABASE
from shared.metrics.catalogue.http import HTTP
from shared.metrics.catalogue.notifications import NOTIFICATIONS
from shared.metrics.catalogue.payments import PAYMENTS
from shared.metrics.catalogue.process import PROCESS
from shared.metrics.catalogue.terminals import TERMINALS
from shared.metrics.definition import PROCESSES, Metric

SUBJECTS: Final[tuple[tuple[str, tuple[Metric, ...]], ...]] = (
    ("Payments", PAYMENTS),
    ("HTTP", HTTP),
    ("Terminals and workers", TERMINALS),
    ("Notifications", NOTIFICATIONS),
    ("RabbitMQ", BROKER),
    ("Database", DATABASE),
    ("Processes", PROCESS),
)
CATALOGUE: Final = tuple(metric for _, metrics in SUBJECTS for metric in metrics)

HEAD = """# Metrics

<!-- The output of `python -m shared.metrics.reference`; a test says when it is stale. -->

Every process serves its metrics at `/metrics` of its management port (`CLOUD_TERMINAL_MANAGEMENT_PORT`), in
Prometheus' text format, and exports those alone that it knows. Beside them are `process_*` of the client
library: processor time, memory, open files. `deploy/prometheus/` has the scrape configuration, recording
rules and alerts ([what to do at each](../operations/alerts.md)), `deploy/grafana/` the dashboards.

*Installation*: each process that exports it counts the whole installation: take the maximum over processes
(`max by (state) (...)`), not the sum. All others are of one process and can be summed.
"""


def render_reference() -> str:
    """Return docs/reference/metrics.md."""
    return HEAD + "".join(_section(title, metrics) for title, metrics in SUBJECTS)


def _section(title: str, metrics: tuple[Metric, ...]) -> str:
    return f"\n## {title}\n" + "".join(map(_entry, metrics))


def _entry(metric: Metric) -> str:
    owners = (
        "every process" if metric.owners == PROCESSES else " and ".join(f"`{one}`" for one in metric.owners)
    )
    shared = ", *installation*" if metric.is_shared else ""
    labels = "".join(_label(name, values) for name, values in metric.labels.items())
    return (
        f"\n### `{metric.full_name}`\n\n{metric.help} ({metric.kind} of {owners}{shared})\n{labels}"
        f"\nWhen it moves: {metric.advice}\n"
    )


def _label(name: str, values: tuple[str, ...] | str) -> str:
    listed = (
        values
        if isinstance(values, str)
        else ", ".join(f"`{value}`" if value else "empty" for value in values)
    )
    return f"\n- `{name}`: {listed}\n"


if __name__ == "__main__":
    sys.stdout.write(render_reference())
