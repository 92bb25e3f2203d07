"""Failpoints: named steps at which a fault test stops or ends a process; elsewhere they do nothing."""

from collections.abc import Awaitable, Callable
from typing import Final

API_STEPS: Final = ("before_insert", "after_insert", "after_publish")
#: The steps of one payment in their order; the last one precedes the acknowledgement of its message. A worker
#: also has `before_consuming`, ahead of its first payment.
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
#: A delivery was leased; it was posted; its result was stored and its message is not acknowledged yet. Every
#: process that commits deliveries also has `before_waking`, ahead of the wake-ups.
NOTIFIER_STEPS: Final = ("claimed", "sent", "stored")

#: Awaited with the name of the step that was just reached.
Failpoint = Callable[[str], Awaitable[None]]


async def no_failpoint(_step: str) -> None:
    """Do nothing."""
