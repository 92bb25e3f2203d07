"""Named places where a test may stop or end a process; in a real one nothing happens there."""

from collections.abc import Awaitable, Callable

#: Awaited with the name of the step that was just reached.
Checkpoint = Callable[[str], Awaitable[None]]


async def no_checkpoint(_step: str) -> None:
    """Go on."""
