"""Option for asking a real Prometheus, which takes minutes: `pytest tests/monitoring --monitoring`."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--monitoring", action="store_true", help="ask a real Prometheus every expression")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The option is unknown where pytest was not started in this folder.
    if config.getoption("monitoring", default=False):
        return
    left_out = [item for item in items if Path(__file__).parent in item.path.parents]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
