"""Option for what the handbook says, on servers of the test's own: `pytest tests/operations --operations`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--operations", action="store_true", help="type the handbook's commands")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The option is unknown where pytest was not started in this folder.
    if config.getoption("operations", default=False):
        return
    left_out = [item for item in items if Path(__file__).parent in item.path.parents]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that other accounts may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="ct-operations-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
