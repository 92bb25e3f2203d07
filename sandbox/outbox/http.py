"""One HTTP POST as an outcome."""

from typing import Any

import httpx

from sandbox.outbox.attempt_result import AttemptResult, Decision


async def post(http: httpx.AsyncClient, url: str, *, timeout_seconds: float, **request: Any) -> AttemptResult:
    """Send it; 2xx acknowledges, everything else is tried again.

    request: httpx's json, content, headers, auth.
    """
    try:
        answer = await http.post(url, timeout=timeout_seconds, **request)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return AttemptResult(Decision.AGAIN, None, str(error) or type(error).__name__)
    verdict = Decision.ACKNOWLEDGED if answer.is_success else Decision.AGAIN
    return AttemptResult(verdict, answer.status_code, answer.text[:200])
