"""Mistakes with results that only one worker knows."""

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
    """Give up storing a result at an error that is not the connection's."""
    original = resilience.until_done

    async def until_done(work: Callable[[], Awaitable[Any]], event: str, **named: Any) -> Any:
        return await original(work, event, **{**named, "failures": (DatabaseUnavailable, CommitUnknown)})

    with patch.object(run, "until_done", until_done):
        yield


def stopped_while_it_listens() -> AbstractContextManager[object]:
    """End a worker before the silence that ends an answer."""
    return patch.object(AnswerReader, "is_receiving", False)


def drained_without_grace() -> AbstractContextManager[object]:
    """End a worker without waiting for an unavailable database."""
    return patch.object(Settings, "storing_grace_seconds", 0.0)
