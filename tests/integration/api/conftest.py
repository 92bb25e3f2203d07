"""API process without broker and worker on each database, and two merchants that use it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from databases import Store
from running.api_alone import ApiAlone, Caller, api_alone


@pytest.fixture
def api_settings() -> dict[str, Any]:
    """Return the settings of `api` that differ; a folder or a module may have others."""
    return {}


@pytest.fixture
async def api(store: Store, api_settings: dict[str, Any]) -> AsyncIterator[ApiAlone]:
    async with api_alone(store, **api_settings) as running:
        yield running


@pytest.fixture
async def pos(api: ApiAlone) -> Caller:
    """Return the POS of a merchant."""
    return await api.merchant()


@pytest.fixture
async def other(api: ApiAlone) -> Caller:
    """Return the POS of another merchant."""
    return await api.merchant()
