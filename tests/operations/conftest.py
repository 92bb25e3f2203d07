"""Folder for what the handbook says, on servers of the test's own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that other accounts may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="ct-operations-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
