"""Endpoints of these tests are on loopback."""

from typing import Any

import pytest
from wire.webhooks import LOCAL


@pytest.fixture
def api_settings() -> dict[str, Any]:
    return LOCAL
