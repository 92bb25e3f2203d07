"""One attempt to send a message: its result, and HTTP POST as one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx


class Decision(StrEnum):
    """The sender's next step after an attempt."""

    ACKNOWLEDGED = "acknowledged"
    #: Sent again after a while.
    RETRY = "retry"
    #: Never sent again: the receiver will never accept it.
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The receiver's answer; `status` is None where there was none."""

    decision: Decision
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, at `at_ms` (Unix time)."""

    at_ms: int
    result: AttemptResult


async def post(http: httpx.AsyncClient, url: str, *, timeout_seconds: float, **request: Any) -> AttemptResult:
    """Send a POST request; 2xx acknowledges, everything else is to be retried.

    request: httpx's json, content, headers, auth.
    """
    try:
        answer = await http.post(url, timeout=timeout_seconds, **request)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return AttemptResult(Decision.RETRY, None, str(error) or type(error).__name__)
    decision = Decision.ACKNOWLEDGED if answer.is_success else Decision.RETRY
    return AttemptResult(decision, answer.status_code, answer.text[:200])
