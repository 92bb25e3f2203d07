"""Mistakes with what a worker alone knows: the only copy of an outcome."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from shared.runtime import resilience
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable
from terminal_worker import run
from terminal_worker.session.answer_reader import AnswerReader


@contextmanager
def given_up_at_the_unexpected() -> Iterator[None]:
    """What is no failure of the connection ends the storing of an outcome."""
    original = resilience.until_done

    async def until_done(work: Callable[[], Awaitable[Any]], event: str, **named: Any) -> Any:
        return await original(work, event, **{**named, "failures": (DatabaseUnavailable, CommitUnknown)})

    with patch.object(run, "until_done", until_done):
        yield


def stopped_while_it_listens() -> AbstractContextManager[object]:
    """A worker that ends does not wait for the silence that ends an answer."""
    return patch.object(AnswerReader, "is_hearing", False)


def drained_without_grace() -> AbstractContextManager[object]:
    """A worker that ends does not wait for a database that is away."""
    return patch.object(Settings, "storing_grace_seconds", 0.0)
