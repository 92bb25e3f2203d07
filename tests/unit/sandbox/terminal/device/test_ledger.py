"""The terminal's record proves what must not have happened."""

from pathlib import Path

from sandbox.terminal.device.ledger import (
    Ledger,
    SessionRecord,
    charged_twice,
    operation_name,
    overlapping_sessions,
    read_ledger,
)


def session(opened: float, closed: float | None, **known: object) -> SessionRecord:
    record = SessionRecord(peer="127.0.0.1:1", opened_monotonic_ms=opened, closed_monotonic_ms=closed)
    for name, value in known.items():
        setattr(record, name, value)
    return record


def test_sessions_that_overlap_are_found() -> None:
    """Neighbours, one inside a long one, and one that never ended."""
    first, second, third, fourth = session(0, 10), session(10, 20), session(12, 13), session(15, None)
    fifth = session(30, 31)

    assert overlapping_sessions([first, second]) == []
    assert overlapping_sessions([third, first, second]) == [(second, third)]
    assert overlapping_sessions([second, third, fourth]) == [(second, third), (second, fourth)]
    assert overlapping_sessions([fourth, fifth]) == [(fourth, fifth)]


def test_a_payment_that_was_charged_twice_is_found() -> None:
    """By its reference; what moved no money counts nothing."""
    once = session(0, 1, reference="a", charged=True)
    refused = session(1, 2, reference="a", charged=False)
    unnamed = [session(2, 3, charged=True), session(3, 4, charged=True)]
    twice = [session(4, 5, reference="b", charged=True), session(5, 6, reference="b", charged=True)]

    assert charged_twice([once, refused, *unnamed]) == []
    assert charged_twice([once, *twice]) == ["b"]


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    """One JSON line a session, appended, readable while the terminal runs."""
    path = tmp_path / "terminal.jsonl"
    record = session(0, 1, operation="debit", amount_cents=2500, reference="pay", charged=True)
    record.passed("in", b"CZ0040320\xff")

    with Ledger(path) as ledger:
        ledger.write(record)
        assert read_ledger(path) == [record]
    with Ledger(path) as ledger:
        ledger.write(record)

    assert read_ledger(path) == [record, record]
    with Ledger(None) as ledger:
        ledger.write(record)


def test_operations_have_names() -> None:
    """CD in words."""
    assert [operation_name(action) for action in "0123IT"] == [
        "debit",
        "credit",
        "reversal",
        "enquiry",
        "identification",
        "unknown",
    ]
