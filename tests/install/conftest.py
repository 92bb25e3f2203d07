"""Option for installing the wheels as users do, which loads packages: `pytest tests/install --install`."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--install", action="store_true", help="install the wheels of dist/ with uv and pipx")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The option is unknown where pytest was not started in this folder.
    if config.getoption("install", default=False):
        return
    left_out = [item for item in items if Path(__file__).parent in item.path.parents]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
