"""Systems for each test, and the number of payments whose sums are compared (`--sandbox-payments 1000`)."""

from collections.abc import Iterator

import pytest
from running.whole_sandbox import WholeSandbox, whole_sandbox
from systems import limits, own_prefix, sqlite_system, system, system_prefix

__all__ = ["limits", "own_prefix", "sqlite_system", "system", "system_prefix"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sandbox-payments", type=int, default=30, help="payments of the sums through the API")


@pytest.fixture
def payments(request: pytest.FixtureRequest) -> int:
    """Return the option, or its default where pytest was not started in this folder."""
    number: int = request.config.getoption("sandbox_payments", default=30)
    return number


@pytest.fixture(scope="session")
def running_sandbox(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSandbox]:
    """Run `cloud-terminal sandbox` with two terminals once for all tests of this process."""
    with whole_sandbox(amqp_url, tmp_path_factory.mktemp("sandbox") / "kept", "--terminals", "2") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: WholeSandbox) -> WholeSandbox:
    """Forget what earlier tests left in its systems."""
    running_sandbox.reset()
    return running_sandbox
