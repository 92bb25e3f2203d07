"""The running systems, one set a file, reset for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio
from running.sandbox_chain import SYSTEMS, Chain, running_chain


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served_chain() -> AsyncIterator[Chain]:
    async with running_chain() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def chain(served_chain: Chain) -> Chain:
    for system in SYSTEMS:
        await served_chain.post(system, "/reset")
    served_chain.trace.reset()
    return served_chain
