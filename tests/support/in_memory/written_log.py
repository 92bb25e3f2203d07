"""Log lines as a process writes them."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from shared.runtime.logging import configure_logging
from shared.runtime.outage_lines import limit_outage_lines


@contextmanager
def written_log(form: Any, level: Any, process: str) -> Iterator[io.StringIO]:
    """Yield the stream of the lines; restore the logging configuration afterwards."""
    with logging_restored():
        stream = io.StringIO()
        configure_logging(form, level, process=process, stream=stream)
        yield stream


@contextmanager
def logging_restored() -> Iterator[None]:
    """Restore the tests' logging configuration after what configures its own."""
    root = logging.getLogger()
    configuration, handlers, level = structlog.get_config(), root.handlers[:], root.level
    disabled, levels = root.manager.disable, levels_of_loggers()
    try:
        yield
    finally:
        structlog.configure(**configuration)
        limit_outage_lines(None)
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.disable(disabled)
        for name in levels_of_loggers():
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def levels_of_loggers() -> dict[str, int]:
    """Return the levels of the loggers that have one of their own."""
    loggers = logging.getLogger().manager.loggerDict
    return {name: one.level for name, one in loggers.items() if isinstance(one, logging.Logger) and one.level}
