"""Pytest plugin: a test that leaves the process in another state fails, for the next would inherit it."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from in_memory.written_log import levels_of_loggers

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Compare the state of the process after the test, and all fixtures of its own, with the one before."""
    before = _state()
    yield
    after = _state()
    assert after == before, [f"{name} is left changed" for name in before if before[name] != after[name]]


def _state() -> dict[str, object]:
    root = logging.getLogger()
    return {
        # pytest's own variable names the test.
        "os.environ": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "the working directory": Path.cwd(),
        "sys.path": list(sys.path),
        "the interval of thread switches": sys.getswitchinterval(),
        "the garbage collector": (gc.isenabled(), gc.get_threshold()),
        "signal handlers": [signal.getsignal(number) for number in SIGNALS],
        "the root logger": (root.level, list(root.handlers), root.manager.disable),
        "the loggers' levels": levels_of_loggers(),
        "structlog's configuration": structlog.get_config(),
    }
