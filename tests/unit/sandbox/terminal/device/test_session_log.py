"""The terminal's records show overlapping sessions and double charges."""

from pathlib import Path

from sandbox.terminal.device.session_log import (
    SessionLog,
    SessionRecord,
    charged_twice,
    operation_name,
    overlapping_sessions,
    read_session_log,
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
    """By its reference; a session without a charge does not count."""
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

    with SessionLog(path) as log:
        log.write(record)
        assert read_session_log(path) == [record]
    with SessionLog(path) as log:
        log.write(record)

    assert read_session_log(path) == [record, record]
    with SessionLog(None) as log:
        log.write(record)


def test_operations_have_names() -> None:
    """The name of each CD."""
    assert [operation_name(action) for action in "0123IT"] == [
        "debit",
        "credit",
        "reversal",
        "enquiry",
        "identification",
        "unknown",
    ]
