"""Option for all faults, which take minutes: `pytest tests/faults --full-faults`; else a sample is run."""

from pathlib import Path

import pytest
from databases import Store
from running.fault_runs import Staged, stage_of
from systems import own_prefix

from sandbox.servers.start import RunningServer

__all__ = ["own_prefix"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full-faults", action="store_true", help="every fault at every step, on PostgreSQL")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The option is unknown where pytest was not started in this folder.
    if config.getoption("full_faults", default=False):
        return
    left_out = [item for item in items if item.get_closest_marker("full_faults")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def store(request: pytest.FixtureRequest, dialect: str) -> Store:
    """Return a migrated store on the case's database."""
    found = request.getfixturevalue("postgres_store" if dialect == "postgresql" else "sqlite_store")
    assert isinstance(found, Store)
    return found


@pytest.fixture
def staged(store: Store, amqp_url: str, own_prefix: str, tmp_path: Path) -> Staged:
    """Return what opens the case's stage: processes to be struck, and the same system for the test."""
    return stage_of(store.url, amqp_url, own_prefix, tmp_path)


@pytest.fixture
def staged_on_own_broker(store: Store, own_broker: RunningServer, tmp_path: Path) -> Staged:
    """Return the same on a broker that the test may kill."""
    return stage_of(store.url, own_broker.url, "faults.", tmp_path)
