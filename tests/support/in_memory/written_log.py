"""Log lines as a process writes them."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plugins.loaded_machine import plain_tracebacks

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
    handlers, level_before = root.handlers[:], root.level
    try:
        yield
    finally:
        plain_tracebacks()
        limit_outage_lines(None)
        root.handlers[:] = handlers
        root.setLevel(level_before)
