"""Libraries set up so that a loaded machine makes tests slow, never red. A pytest plugin."""

import pytest
import structlog
from hypothesis import HealthCheck, settings


def pytest_configure(config: pytest.Config) -> None:
    """Set the limits that Hypothesis has for an example's time aside, for all tests."""
    settings.register_profile("loaded machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("loaded machine")
    plain_tracebacks()


def plain_tracebacks() -> None:
    """Configure structlog as it is by itself, but for tracebacks: drawing one holds a loop up for seconds."""
    structlog.reset_defaults()
    *others, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*others, renderer])
