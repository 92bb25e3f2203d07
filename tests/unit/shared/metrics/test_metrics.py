"""Metrics have units, a prefix and labels whose values are bounded."""

import re
from itertools import product
from pathlib import Path

import pytest
from monitoring.expressions import rules
from prometheus_client.exposition import generate_latest

from notifier_worker.metrics import NotifierMetrics
from shared.metrics.catalogue.http import ERRORS, OBJECTIVE_CODES
from shared.metrics.definition import NOTIFIER, PROCESSES, Metric
from shared.metrics.metrics import Metrics
from shared.metrics.reference import CATALOGUE, render_reference
from shared.payment.payment import Operation, Reason
from shared.payment.states import State


def exposed(metrics: Metrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


def test_two_processes_parts_in_one_interpreter_do_not_share_metrics() -> None:
    """Each composition root has a registry of its own."""
    one, other = Metrics("api"), Metrics("api")
    one.reply_came("database")

    assert 'cloud_terminal_replies_total{way="database"} 1.0' in exposed(one)
    assert 'cloud_terminal_replies_total{way="database"} 0.0' in exposed(other)


def test_outcomes_are_counted_by_operation_outcome_and_reason() -> None:
    """An unknown reason does not create a new series."""
    metrics = Metrics("terminal-worker")
    metrics.payment_ended(Operation.DEBIT, State.SUCCEEDED, None)
    metrics.payment_ended(Operation.DEBIT, State.UNREACHABLE, Reason.BUSY)
    metrics.payment_ended(Operation.DEBIT, State.REFUSED, "text of a terminal 1")
    metrics.payment_ended(Operation.DEBIT, State.REFUSED, "text of a terminal 2")

    lines = exposed(metrics)
    for labels, count in (
        ('operation="debit",outcome="succeeded",reason=""', 1),
        ('operation="debit",outcome="unreachable",reason="busy"', 1),
        ('operation="debit",outcome="refused",reason="other"', 2),
    ):
        assert f"cloud_terminal_payments_total{{{labels}}} {count}.0" in lines


def test_the_added_time_is_the_total_less_the_session() -> None:
    """Never below zero, though two clocks may differ."""
    metrics = Metrics("api")
    metrics.answered(2.25, 2.0)
    metrics.answered(1.0, 2.0)

    assert "cloud_terminal_added_latency_seconds_sum 0.25" in exposed(metrics)


def test_slots_and_open_payments_are_gauges() -> None:
    """Free slots and waiting payments are read directly."""
    metrics = Metrics("terminal-worker")
    metrics.slots(3, 200)
    metrics.open_payments(State.IN_DOUBT, 2, 90.5)

    lines = exposed(metrics)
    assert "cloud_terminal_session_slots_used 3.0" in lines
    assert "cloud_terminal_session_slots_free 197.0" in lines
    assert 'cloud_terminal_payments_open{state="in_doubt"} 2.0' in lines
    assert 'cloud_terminal_payments_open{state="queued"} 0.0' in lines
    assert 'cloud_terminal_payments_oldest_age_seconds{state="in_doubt"} 90.5' in lines


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_exports_what_it_owns(process: str) -> None:
    """Nothing else, so that no process says 0 of what it does not know; and no time of a series' creation."""
    metrics = Metrics(process)
    if process == NOTIFIER:
        NotifierMetrics(metrics.owned)
    found = {family.name for family in metrics.registry.collect() if not family.name.startswith("process_")}

    assert found == {
        metric.full_name.removesuffix("_total") for metric in CATALOGUE if process in metric.owners
    }
    assert not [line for line in exposed(metrics) if "_created" in line]


def test_names_follow_the_conventions() -> None:
    """A prefix, words, a unit; help and advice in sentences; each label's values are bounded by a rule."""
    names = [metric.full_name for metric in CATALOGUE]
    assert len(names) == len(set(names))
    for metric in CATALOGUE:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", metric.name), metric
        assert "total" not in metric.name, metric
        if metric.kind == "histogram":
            assert metric.name.endswith("_seconds"), metric
            assert list(metric.buckets) == sorted(metric.buckets), metric
        assert metric.help.endswith("."), metric
        assert metric.advice.endswith("."), metric
        assert set(metric.owners) <= set(PROCESSES), metric
        assert not {"id", "payment_id", "merchant", "terminal", "address", "target"} & set(metric.labels), (
            metric
        )


def test_the_reference_lists_every_metric() -> None:
    """docs/reference/metrics.md is generated: `make docs` renews it."""
    page = (Path(__file__).parents[4] / "docs" / "reference" / "metrics.md").read_text()

    assert page == render_reference()


@pytest.mark.parametrize("process", PROCESSES)
def test_a_series_that_a_rule_counts_is_there_before_its_first_increment(process: str) -> None:
    """A rate does not see the increment that a series begins with: an error, a worker's death."""
    metrics = Metrics(process)
    if process == NOTIFIER:
        NotifierMetrics(metrics.owned)
    there = {
        (sample.name, frozenset(sample.labels.items()))
        for family in metrics.registry.collect()
        for sample in family.samples
    }

    missing = []
    for metric, asked in counted_by_rules():
        if process not in metric.owners:
            continue
        values = {
            **{name: listed for name, listed in metric.labels.items() if isinstance(listed, tuple)},
            **asked,
        }
        assert values.keys() == metric.labels.keys(), f"{metric.full_name}: its series are not known before"
        missing += [
            (metric.full_name, labelled)
            for labelled in product(*values.values())
            if not there & {(name, frozenset(zip(values, labelled, strict=True))) for name in metric.series}
        ]
    assert missing == []


def counted_by_rules() -> list[tuple[Metric, dict[str, tuple[str, ...]]]]:
    """Return the metrics that alerts and the objective count, and the labels' values that they ask for."""
    by_series = {series: metric for metric in CATALOGUE for series in metric.series}
    asked = [
        (
            by_series[name],
            {label: tuple(values.split("|")) for label, values in re.findall(r'(\w+)=~?"([^"]*)"', labels)},
        )
        for rule in rules()
        if "alert" in rule or "order_failures" in rule["record"]
        for name, labels in re.findall(
            r"(?:rate|increase)\((cloud_terminal_\w+?)(?:\{(.*?)\})?\[", rule["expr"]
        )
    ]
    assert len(asked) > len(CATALOGUE) / 10
    return asked


def test_the_objective_counts_the_codes_that_are_there_from_the_start() -> None:
    """A code that is added to the rules has its series, too."""
    codes = [asked["code"] for metric, asked in counted_by_rules() if metric is ERRORS]

    assert set(codes) == {OBJECTIVE_CODES}
