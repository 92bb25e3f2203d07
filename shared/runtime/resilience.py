"""Going on after a failure: a loop logs it and goes on, an outcome is stored again until it is stored.

A failure of the database or the broker is expected now and then and is a warning; anything else is an error
of the code and is logged with its traceback.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

import structlog

from shared.broker.errors import BrokerFailure
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable, StatementCancelled

_log = structlog.get_logger()
_Result = TypeVar("_Result")

#: How long to wait before it is tried again; doubled each time up to the second figure.
PAUSE_SECONDS: Final = (0.1, 2.0)
#: The longest pause after an error of the code: more of them would only fill the log.
UNEXPECTED_PAUSE_SECONDS: Final = 10.0


@contextmanager
def failures_logged(event: str, **fields: object) -> Iterator[None]:
    """Log whatever the block raises, and go on after the block."""
    try:
        yield
    except Exception as error:
        log_failure(event, error, **fields)


@contextmanager
def one_of_many(event: str, **fields: object) -> Iterator[None]:
    """Log what the block raises and go on with the next of several.

    A database that is away is passed on: it ends the round, since the others would only wait for it, too.
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
    """Return what `work` returns; each of these failures is logged, and it is tried again after a growing
    pause."""
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
    """Log one failure by its kind; never raises, since there is no other place for it."""
    with suppress(Exception):
        if _is_expected(error):
            _log.warning(event, error=str(error), **fields)
        else:
            log_unexpected(event, error, **fields)


def log_unexpected(event: str, error: Exception, **fields: object) -> None:
    """Log an error of the code, with its traceback."""
    _log.error(event, exc_info=error, **fields)


def _is_expected(error: Exception) -> bool:
    return isinstance(error, DatabaseUnavailable | CommitUnknown | BrokerFailure)
