"""Systems for each test, and one sandbox for all of them."""

from collections.abc import Iterator

import pytest
from plugins.systems import limits, own_prefix, sqlite_system, system, system_prefix
from running.whole_sandbox import WholeSandbox, whole_sandbox

__all__ = ["limits", "own_prefix", "sqlite_system", "system", "system_prefix"]


@pytest.fixture
def payments(request: pytest.FixtureRequest) -> int:
    """Return the number of payments whose sums are compared."""
    number: int = request.config.getoption("sandbox_payments")
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
