"""Attempts: one post of one delivery, and the decision that follows from its answer."""

import random
from dataclasses import replace
from typing import Final

import structlog

from notifier_worker.http.client import HttpClient
from notifier_worker.http.errors import PostFailed
from notifier_worker.retry_policy import RetrySchedule, after_answer, within_life
from notifier_worker.spans import note_status, posting, trace_headers
from notifier_worker.webhook_request import WebhookRequest
from shared.network.targets import TargetRefused
from shared.notification.kinds import MERCHANT
from shared.runtime.clock import Clock
from shared.storage.webhooks.deliveries import Attempt, AttemptResult, Decision, Delivered, Leased, Retry

_log = structlog.get_logger()


class Attempts:
    """The sender of deliveries; a receiver's answer or failure never raises."""

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
        """Post the request once and return the result."""
        began = self._clock.monotonic()
        try:
            decision, attempt = await self._post(leased, request)
        except (PostFailed, TargetRefused) as failure:
            decision = self._retry(leased)
            attempt = Attempt(0, error=failure.reason, answer=failure.text)
        except Exception:
            _log.exception("delivery attempt failed with an unexpected error", delivery_id=leased.id)
            decision, attempt = self._retry(leased, is_targets=False), Attempt(0, error="ours")
        return self._result(leased, request.url, began, decision, attempt)

    async def _post(self, leased: Leased, request: WebhookRequest) -> tuple[Decision, Attempt]:
        with posting(leased, request.url) as traced:
            headers = {**request.headers, **trace_headers(leased)}
            answer = await self._client.post(request.url, headers, request.body, self._timeout_seconds)
            note_status(traced, answer.status)
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

    def not_built(self, leased: Leased) -> AttemptResult:
        """Return the result of a delivery whose request could not be built: it is retried like any other."""
        retry = self._retry(leased, is_targets=False)
        return self._result(leased, None, self._clock.monotonic(), retry, Attempt(0, error="not_written"))

    def _retry(self, leased: Leased, *, is_targets: bool = True) -> Retry:
        return Retry(self._schedule.pause(leased.tries + 1, self._rng), is_targets)

    def _result(
        self, leased: Leased, url: str | None, began: float, decision: Decision, attempt: Attempt
    ) -> AttemptResult:
        seconds = self._clock.monotonic() - began
        final = within_life(
            decision, age_seconds=leased.age_seconds + seconds, life_seconds=self._life_seconds
        )
        return AttemptResult(leased, replace(attempt, duration_ms=round(1000 * seconds)), final, url)


def _text(body: bytes) -> str:
    """Return the answer's first bytes as text that every database accepts."""
    return body.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
