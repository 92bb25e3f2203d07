"""One HTTP POST as an outcome."""

from typing import Any

import httpx

from sandbox.outbox.attempt_result import Outcome, Verdict


async def post(http: httpx.AsyncClient, url: str, *, timeout_seconds: float, **request: Any) -> Outcome:
    """Send it; 2xx acknowledges, everything else is tried again.

    request: httpx's json, content, headers, auth.
    """
    try:
        answer = await http.post(url, timeout=timeout_seconds, **request)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Outcome(Verdict.AGAIN, None, str(error) or type(error).__name__)
    verdict = Verdict.ACKNOWLEDGED if answer.is_success else Verdict.AGAIN
    return Outcome(verdict, answer.status_code, answer.text[:200])
