"""Waiting for a condition without a fixed sleep."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def eventually(look: Callable[[], Any], *, within_seconds: float = 30) -> Any:
    """Return the value of `look` (plain or async) as soon as it is true; fail with its last value."""
    deadline = time.monotonic() + within_seconds
    while True:
        seen = look()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return seen
        assert time.monotonic() < deadline, f"not within {within_seconds} s; last seen: {seen!r}"
        await asyncio.sleep(0.02)
