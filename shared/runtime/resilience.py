"""Resilience: a loop logs a failure and continues, a result is stored again until it is stored.

A failure of database or broker is expected and logged as a warning; anything else is an error of the code and
is logged with its traceback.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

import structlog

from shared.broker.errors import BrokerFailure
from shared.runtime.outage_lines import Kind, log_outage
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable, StatementCancelled

_log = structlog.get_logger()
_Result = TypeVar("_Result")

#: Awaited with the name of the step that was just reached; a fault test stops or ends the process there.
Failpoint = Callable[[str], Awaitable[None]]

#: The first pause before a retry, and the longest; it doubles each time.
PAUSE_SECONDS: Final = (0.1, 2.0)
#: The longest pause after an error of the code, whose repetition only fills the log.
UNEXPECTED_PAUSE_SECONDS: Final = 10.0


@contextmanager
def failures_logged(event: str, **fields: object) -> Iterator[None]:
    """Log the block's exception and continue after the block."""
    try:
        yield
    except Exception as error:
        log_failure(event, error, **fields)


@contextmanager
def one_of_many(event: str, **fields: object) -> Iterator[None]:
    """Log the exception of one of several blocks and continue with the next.

    DatabaseUnavailable is raised and ends the round, since the other blocks would fail, too.
    """
    try:
        yield
    except StatementCancelled as error:
        log_failure(event, error, **fields)
    except DatabaseUnavailable:
        raise
    except Exception as error:
        log_failure(event, error, **fields)


async def until_done(
    work: Callable[[], Awaitable[_Result]],
    event: str,
    *,
    rng: random.Random,
    failures: tuple[type[Exception], ...] = (Exception,),
) -> _Result:
    """Return the result of `work`; log each of these failures and retry after a growing pause."""
    pause, longest = PAUSE_SECONDS
    while True:
        try:
            return await work()
        except failures as error:
            log_failure(event, error)
            if not _is_expected(error):
                longest = UNEXPECTED_PAUSE_SECONDS
        await asyncio.sleep(rng.uniform(pause / 2, pause))
        pause = min(pause * 2, longest)


def log_failure(event: str, error: Exception, **fields: object) -> None:
    """Log a failure, expected or unexpected; never raises. An outage's lines are limited."""
    with suppress(Exception):
        if _is_expected(error):
            kind: Kind = "broker" if isinstance(error, BrokerFailure) else "database"
            log_outage(kind, event, error=str(error), **fields)
        else:
            log_unexpected(event, error, **fields)


def log_unexpected(event: str, error: Exception, **fields: object) -> None:
    """Log an error of the code, with its traceback."""
    _log.error(event, exc_info=error, **fields)


def _is_expected(error: Exception) -> bool:
    return isinstance(error, DatabaseUnavailable | CommitUnknown | BrokerFailure)


async def no_failpoint(_step: str) -> None:
    """Do nothing: the failpoint of every process that no fault test runs."""
