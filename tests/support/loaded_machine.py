"""Pytest plugin that sets libraries up so that a loaded machine makes tests slow, never red."""

import pytest
import structlog
from hypothesis import HealthCheck, settings


def pytest_configure(config: pytest.Config) -> None:
    """Switch Hypothesis's time limits off for all tests."""
    settings.register_profile("loaded machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("loaded machine")
    plain_tracebacks()


def plain_tracebacks() -> None:
    """Configure structlog without drawn tracebacks, which would block a loop for seconds."""
    structlog.reset_defaults()
    *others, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*others, renderer])
