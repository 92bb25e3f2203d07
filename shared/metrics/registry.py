"""Registry of one process: it exports the metrics that the process owns, and no others."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from shared.metrics.definition import PREFIX, PROCESSES, Metric

#: Typed, which the library's function is not.
_leave_out_created: Final[Callable[[], None]] = disable_created_metrics


class OwnedMetrics:
    """Factory of a process's metrics. One that the process does not own can be used and is not exported:
    parts that several kinds of processes have measure everywhere, and each value is exported where it is
    known."""

    def __init__(self, process: str, registry: CollectorRegistry) -> None:
        # A second series for each, with the time of its creation, which nothing reads.
        _leave_out_created()
        self._process: Final = process
        self.registry: Final = registry
        ProcessCollector(registry=registry)

    def counter(self, metric: Metric) -> Counter:
        made = Counter(
            metric.name, metric.help, metric.labels, namespace=PREFIX, registry=self._registry(metric)
        )
        _begin_at_zero(made, metric)
        return made

    def gauge(self, metric: Metric) -> Gauge:
        made = Gauge(
            metric.name, metric.help, metric.labels, namespace=PREFIX, registry=self._registry(metric)
        )
        _begin_at_zero(made, metric)
        return made

    def histogram(self, metric: Metric) -> Histogram:
        made = Histogram(
            metric.name,
            metric.help,
            metric.labels,
            namespace=PREFIX,
            buckets=metric.buckets,
            registry=self._registry(metric),
        )
        _begin_at_zero(made, metric)
        return made

    def _registry(self, metric: Metric) -> CollectorRegistry | None:
        """Return the registry of a metric; a process that is none of ours (a test, a check) owns all."""
        is_owner = self._process in metric.owners or self._process not in PROCESSES
        return self.registry if is_owner else None


def _begin_at_zero(made: Counter | Gauge | Histogram, metric: Metric) -> None:
    """Make the series of a metric whose one label is listed, and those that the metric begins with: a rate is
    known from the first increment on."""
    values = list(metric.labels.values())
    if len(values) == 1 and isinstance(values[0], tuple):
        for value in values[0]:
            made.labels(value)
    for labelled in metric.begins_with:
        made.labels(*labelled)
