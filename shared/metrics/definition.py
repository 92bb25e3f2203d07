"""Definition of a metric: name, labels of bounded values, owners, and advice for operators."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

PREFIX: Final = "cloud_terminal"

API: Final = "api"
WORKER: Final = "terminal-worker"
NOTIFIER: Final = "notifier-worker"
PROCESSES: Final = (API, WORKER, NOTIFIER)

#: All values of a label, or a sentence that says what bounds their number.
Values = tuple[str, ...] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric's definition; a process exports it only if it is one of the owners."""

    kind: Literal["counter", "gauge", "histogram"]
    #: Without the prefix, and without a counter's `_total`.
    name: str
    help: str
    owners: tuple[str, ...]
    labels: Mapping[str, Values] = field(default_factory=dict)
    #: Series that are there from a process's start, beside those of a single listed label, by the values of
    #: all labels: a rate does not see the increment that a series begins with.
    begins_with: tuple[tuple[str, ...], ...] = ()
    #: Upper bounds of a histogram.
    buckets: tuple[float, ...] = ()
    #: Each process that exports it measures the whole installation: take the maximum, not the sum.
    is_shared: bool = False
    #: A sentence or two for an operator who sees it move.
    advice: str

    @property
    def full_name(self) -> str:
        """The name in Prometheus; a histogram's is followed by `_bucket`, `_sum` or `_count`."""
        return f"{PREFIX}_{self.name}{'_total' if self.kind == 'counter' else ''}"

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its series in Prometheus."""
        if self.kind != "histogram":
            return (self.full_name,)
        return tuple(f"{self.full_name}_{end}" for end in ("bucket", "sum", "count"))
