"""Metrics of every process."""

from typing import Final

from shared.metrics.definition import PROCESSES, Metric

LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

BUILD: Final = Metric(
    kind="gauge",
    name="build_info",
    help="The running version; always 1.",
    owners=PROCESSES,
    labels={"version": "one", "process": PROCESSES},
    advice="Two versions at once outside of an upgrade: a container was not replaced.",
)
LOOP_LAG: Final = Metric(
    kind="histogram",
    name="event_loop_lag_seconds",
    help="How late the event loop woke, twice a second; late heartbeats lose connections.",
    owners=PROCESSES,
    buckets=LAG_BUCKETS,
    advice="Above 0.1 s the process has too little processor time: start more processes, or raise its limit.",
)

PROCESS: Final = (BUILD, LOOP_LAG)
