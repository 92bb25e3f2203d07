"""Stages of processes to be struck, on each database."""

from pathlib import Path

import pytest
from databases import Store
from plugins.systems import own_prefix
from running.fault_runs import Staged, stage_of

from sandbox.servers.start import RunningServer

__all__ = ["own_prefix"]


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
