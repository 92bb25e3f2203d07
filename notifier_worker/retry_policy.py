"""The retry policy: the decision after each attempt. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

from shared.storage.webhooks.deliveries import Decision, Delivered, GiveUp, Retry

#: The longest pause that a receiver can ask for.
LONGEST_RETRY_AFTER_SECONDS: Final = 86_400.0

GONE: Final = 410
#: The statuses from 400 to 499 that are about the receiver, not about this message.
_RECEIVER_STATUSES: Final = frozenset({401, 403, 404, 408, 429})


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """The longest pause before each next try, in seconds; the last one is repeated."""

    seconds: Sequence[float]

    def pause(self, tries: int, rng: Random) -> float:
        """Return a random part of the pause after this number of tries (full jitter)."""
        longest = self.seconds[min(tries, len(self.seconds)) - 1]
        return rng.uniform(0, longest)


def after_answer(
    status: int,
    retry_after: str | None,
    *,
    tries: int,
    schedule: RetrySchedule,
    rng: Random,
    now_seconds: float,
    ends_with_gone: bool,
) -> Decision:
    """Return the decision for an answer: 2xx is success, anything else is retried; 410 may end the target.

    `tries` counts this one. `ends_with_gone`: the target is a merchant's endpoint, which 410 disables.
    `retry_after` is the header's text, seconds or an HTTP date.
    """
    if 200 <= status < 300:
        return Delivered()
    if status == GONE and ends_with_gone:
        return GiveUp("gone", endpoint_is_gone=True)
    pause = schedule.pause(tries, rng)
    asked = retry_after_seconds(retry_after, now_seconds)
    return Retry(
        pause if asked is None else max(pause, asked),
        is_targets=not 400 <= status < 500 or status in _RECEIVER_STATUSES,
    )


def within_life(decision: Decision, *, age_seconds: float, life_seconds: float) -> Decision:
    """Return the decision, its retry at the end of the delivery's life at the latest; GiveUp after it."""
    if not isinstance(decision, Retry):
        return decision
    left = life_seconds - age_seconds
    return (
        GiveUp("gave_up") if left <= 0 else replace(decision, pause_seconds=min(decision.pause_seconds, left))
    )


def retry_after_seconds(text: str | None, now_seconds: float) -> float | None:
    """Return the pause of a Retry-After header, a day at most; None where it is missing or unreadable."""
    if text is None:
        return None
    if text.strip().isdecimal() and text.isascii():
        return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter of a time zone beyond all days
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wait = (moment - datetime.fromtimestamp(now_seconds, tz=UTC)).total_seconds()
    return min(max(0.0, wait), LONGEST_RETRY_AFTER_SECONDS)
