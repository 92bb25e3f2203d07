"""Failures that are logged and survived, and the pauses before retries."""

import asyncio
import random

import pytest
from structlog.testing import capture_logs

from shared.broker.errors import BrokerUnavailable
from shared.runtime import resilience
from shared.runtime.resilience import failures_logged, one_of_many, until_done
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable, StatementCancelled


@pytest.mark.parametrize(
    ("failure", "level"),
    [
        (DatabaseUnavailable(), "warning"),
        (StatementCancelled(), "warning"),
        (CommitUnknown(), "warning"),
        (BrokerUnavailable(), "warning"),
        (RuntimeError(), "error"),
    ],
)
def test_every_failure_is_logged_by_its_kind_and_survived(failure: Exception, level: str) -> None:
    """An error of the code is logged with a traceback."""
    with capture_logs() as log, failures_logged("it failed", terminal_address="127.0.0.1:8888"):
        raise failure

    assert [(one["event"], one["log_level"], one["terminal_address"]) for one in log] == [
        ("it failed", level, "127.0.0.1:8888")
    ]
    assert ("exc_info" in log[0]) is (level == "error")


@pytest.mark.parametrize(
    "failure", [StatementCancelled(), CommitUnknown(), BrokerUnavailable(), RuntimeError()]
)
def test_a_failure_of_one_of_many_does_not_stop_the_others(failure: Exception) -> None:
    """A cancelled statement says nothing about the next row."""
    with one_of_many("row not handled"):
        raise failure


def test_an_unavailable_database_ends_the_round() -> None:
    """Each of the others would wait for it as long."""
    with pytest.raises(DatabaseUnavailable), one_of_many("row not handled"):
        raise DatabaseUnavailable


def test_a_cancellation_is_no_failure() -> None:
    """A cancelled task ends."""
    with pytest.raises(asyncio.CancelledError), failures_logged("it failed"):
        raise asyncio.CancelledError


def test_a_log_that_cannot_be_written_is_no_second_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk under the log must not lose a result."""

    def fails(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(resilience, "log_unexpected", fails)

    with failures_logged("it failed"):
        raise RuntimeError


async def test_work_is_retried_after_growing_pauses_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to 2 s after an expected failure, up to 10 s after an error of the code."""
    pauses: list[float] = []
    failures: list[Exception] = [*[DatabaseUnavailable()] * 8, *[RuntimeError()] * 8]

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def work() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    monkeypatch.setattr(asyncio, "sleep", sleep)

    assert await until_done(work, "not done", rng=random.Random(1)) == "done"

    assert len(pauses) == 16
    assert pauses[0] <= 0.1
    assert max(pauses[:8]) <= 2.0
    assert 5 <= max(pauses) <= 10


async def test_only_the_named_failures_are_retried() -> None:
    """Any other error is raised."""

    async def work() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await until_done(work, "not done", rng=random.Random(1), failures=(DatabaseUnavailable,))
