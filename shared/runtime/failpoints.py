"""Named steps at which a fault test stops or ends a process; in a real one nothing happens there."""

from collections.abc import Awaitable, Callable
from typing import Final

API_STEPS: Final = ("before_insert", "after_insert", "after_publish")
#: In the order of a payment; the last one is before the acknowledgement of its message.
WORKER_STEPS: Final = (
    "before_claim",
    "after_claim",
    "after_connect",
    "before_write",
    "after_write",
    "mid_answer",
    "after_answer",
    "after_commit",
    "after_reply",
)
#: Before the worker takes its first payment.
STARTING_STEPS: Final = ("before_consuming",)
#: Committed, and no notifier worker was told.
WAKING_STEPS: Final = ("before_waking",)
#: A delivery was leased; it was posted, before the commit; its result is stored, before the acknowledgement.
NOTIFIER_STEPS: Final = ("claimed", "sent", "stored")

#: Awaited with the name of the step that was just reached.
Failpoint = Callable[[str], Awaitable[None]]


async def no_failpoint(_step: str) -> None:
    """Go on."""
