"""Option for the number of payments whose sums are compared: `pytest tests/e2e --sandbox-payments 1000`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sandbox-payments", type=int, default=30, help="payments of the sums through the API")


@pytest.fixture
def payments(request: pytest.FixtureRequest) -> int:
    """Return the option, or its default where pytest was not started in this folder."""
    number: int = request.config.getoption("sandbox_payments", default=30)
    return number
