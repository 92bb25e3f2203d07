"""One try of one delivery: post the letter, judge what came of it."""

import random
from dataclasses import replace
from typing import Final

import structlog

from notifier_worker.http.client import HttpClient
from notifier_worker.http.errors import PostFailed
from notifier_worker.retry_policy import RetrySchedule, after_answer, within_life
from notifier_worker.webhook_request import WebhookRequest
from shared.network.targets import TargetRefused
from shared.notification.kinds import MERCHANT
from shared.runtime.clock import Clock
from shared.storage.webhooks.deliveries import Attempt, AttemptResult, Decision, Delivered, Leased, Retry

_log = structlog.get_logger()


class Attempts:
    """Posts letters; never raises for what a receiver does."""

    def __init__(
        self,
        client: HttpClient,
        schedule: RetrySchedule,
        clock: Clock,
        rng: random.Random,
        *,
        timeout_seconds: float,
        life_seconds: float,
    ) -> None:
        self._client: Final = client
        self._schedule: Final = schedule
        self._clock: Final = clock
        self._rng: Final = rng
        self._timeout_seconds: Final = timeout_seconds
        self._life_seconds: Final = life_seconds

    async def send(self, leased: Leased, request: WebhookRequest) -> AttemptResult:
        """Post it once."""
        began = self._clock.monotonic()
        try:
            decision, attempt = await self._post(leased, request)
        except (PostFailed, TargetRefused) as failure:
            decision = self._again(leased)
            attempt = Attempt(0, error=failure.reason, answer=failure.text)
        except Exception:
            _log.exception("a try failed for a reason of our own", delivery_id=leased.id)
            decision, attempt = self._again(leased, is_targets=False), Attempt(0, error="ours")
        return self._tried(leased, request.url, began, decision, attempt)

    async def _post(self, leased: Leased, request: WebhookRequest) -> tuple[Decision, Attempt]:
        answer = await self._client.post(request.url, request.headers, request.body, self._timeout_seconds)
        decision = after_answer(
            answer.status,
            answer.retry_after,
            tries=leased.tries + 1,
            schedule=self._schedule,
            rng=self._rng,
            now_seconds=self._clock.wall_ms() / 1000,
            ends_with_gone=leased.kind == MERCHANT,
        )
        error = None if isinstance(decision, Delivered) else "status"
        return decision, Attempt(0, answer.status, error, _text(answer.body), answer.location)

    def not_written(self, leased: Leased) -> AttemptResult:
        """What could not be made into a letter is kept, and tried again as long as any other."""
        again = self._again(leased, is_targets=False)
        return self._tried(leased, None, self._clock.monotonic(), again, Attempt(0, error="not_written"))

    def _again(self, leased: Leased, *, is_targets: bool = True) -> Retry:
        return Retry(self._schedule.pause(leased.tries + 1, self._rng), is_targets)

    def _tried(
        self, leased: Leased, url: str | None, began: float, decision: Decision, attempt: Attempt
    ) -> AttemptResult:
        seconds = self._clock.monotonic() - began
        judged = within_life(
            decision, age_seconds=leased.age_seconds + seconds, life_seconds=self._life_seconds
        )
        return AttemptResult(leased, replace(attempt, duration_ms=round(1000 * seconds)), judged, url)


def _text(body: bytes) -> str:
    """The answer's first bytes as text that every database takes."""
    return body.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
