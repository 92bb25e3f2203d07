"""Pytest plugin: tests that take minutes or load packages are left out, unless an option asks for them."""

from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[2]
#: Folders of tests that an option of their name runs, and what it does.
FOLDERS: Final = {
    "hostile": "attack real processes",
    "install": "install the wheels of dist/ with uv and pipx",
    "monitoring": "ask a real Prometheus every expression",
    "operations": "type the handbook's commands",
    "rolling": "replace every process under load",
    "typescript": "generate the TypeScript client and pay with it",
    "upgrade": "run the previous release's processes",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for folder, action in FOLDERS.items():
        parser.addoption(f"--{folder}", action="store_true", help=action)
    parser.addoption("--full-faults", action="store_true", help="every fault at every step, on PostgreSQL")
    parser.addoption("--sandbox-payments", type=int, default=30, help="payments of the sums through the API")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if _is_left_out(config, item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _is_left_out(config: pytest.Config, item: pytest.Item) -> bool:
    folder = item.path.relative_to(TESTS).parts[0]
    if folder in FOLDERS and not config.getoption(folder):
        return True
    return item.get_closest_marker("full_faults") is not None and not config.getoption("full_faults")
