"""The sandbox that the generated client pays at."""

from collections.abc import Iterator

import pytest
from running.whole_sandbox import WholeSandbox, whole_sandbox


@pytest.fixture(scope="module")
def sandbox(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSandbox]:
    with whole_sandbox(amqp_url, tmp_path_factory.mktemp("sandbox") / "kept") as running:
        yield running
