"""Metrics of a measured process, read from its management port."""

import asyncio
import math
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

_LAG = "cloud_terminal_event_loop_lag_seconds_bucket"


async def slots_used(port: int) -> int:
    """Return the number of sessions that run in a terminal worker."""
    return int((await _samples(port, "cloud_terminal_session_slots_used"))[""])


async def lag_counts(port: int) -> dict[float, float]:
    """Return the number of the event loop's wake-ups by the longest lag in seconds, cumulative."""
    return {float(bound): count for bound, count in (await _samples(port, _LAG)).items()}


def percentile_bound(before: Mapping[float, float], after: Mapping[float, float], percent: int) -> float:
    """Return the bound of the histogram that `percent` of the new values do not exceed; 0 without any."""
    new = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    wanted = new[math.inf] * percent / 100
    return next(bound for bound, count in new.items() if count >= wanted) if wanted else 0.0


async def _samples(port: int, name: str) -> dict[str, float]:
    """Return a metric's values by their label `le`, which only histograms have."""

    def read() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return str(answer.read(), "utf-8")

    families = text_string_to_metric_families(await asyncio.to_thread(read))
    return {
        sample.labels.get("le", ""): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }
