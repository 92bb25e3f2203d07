"""Systems for each test, and the number of payments whose sums are compared (`--sandbox-payments 1000`)."""

import pytest
from systems import limits, own_prefix, sqlite_system, system, system_prefix

__all__ = ["limits", "own_prefix", "sqlite_system", "system", "system_prefix"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sandbox-payments", type=int, default=30, help="payments of the sums through the API")


@pytest.fixture
def payments(request: pytest.FixtureRequest) -> int:
    """Return the option, or its default where pytest was not started in this folder."""
    number: int = request.config.getoption("sandbox_payments", default=30)
    return number
