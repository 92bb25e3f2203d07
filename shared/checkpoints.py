"""Named steps at which a fault test stops or ends a process; in a real one nothing happens there.

- API: `before_insert`, `after_insert`, `after_publish`
- terminal worker: `before_consuming`, `before_claim`, `after_claim`, `after_connect`, `before_write`,
  `after_write`, `mid_answer`, `after_answer`, `after_commit`, `after_reply` (before the acknowledgement)
- both: `before_waking` (committed, and no notifier worker was told)
- notifier worker: `claimed`, `sent` (before the commit), `stored` (before the acknowledgement)
"""

from collections.abc import Awaitable, Callable

#: Awaited with the name of the step that was just reached.
Checkpoint = Callable[[str], Awaitable[None]]


async def no_checkpoint(_step: str) -> None:
    """Go on."""
