"""Pytest plugin that sets libraries up so that a loaded machine makes tests slow, never red."""

import os
import sys

import pytest
import structlog
from hypothesis import HealthCheck, settings


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one worker more than there are processors (`-n auto`): tests wait a third of their time."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Switch off Hypothesis's time limits, and drawn tracebacks, which would block a loop for seconds.

    Lines go to standard error as the process found it: a served API on a thread must not write into the
    output of a command that a test runs in this process.
    """
    settings.register_profile("loaded machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("loaded machine")
    structlog.reset_defaults()
    *others, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[*others, renderer], logger_factory=structlog.PrintLoggerFactory(sys.__stderr__)
    )
