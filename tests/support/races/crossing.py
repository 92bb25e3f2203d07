"""Two transactions that cross: one stands at a named place while the other begins."""

from collections.abc import Coroutine
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from races.interleaving import Pause, finished_or_blocked, outcome_of, running

from shared.storage.db.engine import Database

First = TypeVar("First")
Second = TypeVar("Second")


async def crossed(
    second_database: Database,
    pause: AbstractContextManager[Pause],
    first: Coroutine[Any, Any, First],
    second: Coroutine[Any, Any, Second],
    *,
    waits: bool | None = True,
) -> tuple[First, Second]:
    """Run `first` to its pause, then `second` on its database until it waits or ends; return both results.

    waits: the second has to wait for the first (True), must not (False), or may (None).
    """
    with pause as paused:
        async with running(first) as one:
            await paused.reached()
            async with running(second) as other:
                blocked = await finished_or_blocked(second_database, other)
                assert waits is None or blocked is waits
                paused.go()
                return await outcome_of(one), await outcome_of(other)
