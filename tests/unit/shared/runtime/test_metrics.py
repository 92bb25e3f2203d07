"""Metrics have units, a prefix and labels whose values are bounded."""

from prometheus_client.exposition import generate_latest

from shared.payment.payment import Operation, Reason
from shared.payment.states import State
from shared.runtime.metrics import Metrics


def exposed(metrics: Metrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


def test_two_processes_parts_in_one_interpreter_do_not_share_metrics() -> None:
    """Each composition root has a registry of its own."""
    one, other = Metrics("api"), Metrics("terminal-worker")
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

    assert "cloud_terminal_added_seconds_sum 0.25" in exposed(metrics)


def test_slots_and_open_payments_are_gauges() -> None:
    """Free slots and waiting payments are read directly."""
    metrics = Metrics("terminal-worker")
    metrics.slots(3, 200)
    metrics.open_payments(State.IN_DOUBT, 2)

    lines = exposed(metrics)
    assert "cloud_terminal_session_slots_used 3.0" in lines
    assert "cloud_terminal_session_slots_free 197.0" in lines
    assert 'cloud_terminal_payments_open{state="in_doubt"} 2.0' in lines
    assert 'cloud_terminal_payments_open{state="queued"} 0.0' in lines


def test_every_metric_of_ours_has_the_prefix_and_a_help_text() -> None:
    """Dashboards of others are not disturbed."""
    for family in Metrics("api").registry.collect():
        assert family.name.startswith(("cloud_terminal_", "process_"))
        assert len(family.documentation) > 10
