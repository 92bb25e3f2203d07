"""Option for generating the TypeScript client: `pytest tests/typescript --typescript` loads packages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from running.whole_sandbox import WholeSandbox, whole_sandbox


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--typescript", action="store_true", help="generate the TypeScript client and pay with it"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The option is unknown where pytest was not started in this folder.
    if config.getoption("typescript", default=False):
        return
    left_out = [item for item in items if Path(__file__).parent in item.path.parents]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="module")
def sandbox(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSandbox]:
    with whole_sandbox(amqp_url, tmp_path_factory.mktemp("sandbox") / "kept") as running:
        yield running
