"""Publishers, consumers and reply queues of each test, on queues of its own, and a proxy to cut."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from running.broker_parts import BrokerParts, broker_parts
from wire.amqp_proxy import AmqpProxy, amqp_proxy


@pytest.fixture
def given() -> dict[str, Any]:
    """Return the settings of `parts` that differ; a test may have others."""
    return {}


@pytest.fixture
async def parts(amqp_url: str, amqp_prefix: str, given: dict[str, Any]) -> AsyncIterator[BrokerParts]:
    async with broker_parts(amqp_url, amqp_prefix, **given) as made:
        yield made


@pytest.fixture
async def proxy(amqp_url: str) -> AsyncIterator[AmqpProxy]:
    async with amqp_proxy(amqp_url) as running:
        yield running
