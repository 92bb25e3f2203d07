"""Steps of a call and their replies: a call is a generator, and the clients carry its steps out.

So the rules of paying know no sockets and no clock, and the two clients share them.
"""

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from cloud_terminal_client.errors import ApiError, UnreadableAnswer, api_error_class
from cloud_terminal_client.models import Payment


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send; its reply is an `Answer`, `NotSent` or `Lost`."""

    method: str
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The API may wait so long by itself before it answers.
    waits_seconds: float = 0
    #: Sending it once more does nothing twice.
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause before the next step."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NotSent:
    """No connection was made."""

    cause: Exception


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have arrived; no answer came."""

    cause: Exception


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API, or of a proxy before it."""

    status: int
    #: Lower-case names.
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Mapping[str, Any]:
        """Return the object of the body. Raises UnreadableAnswer where it is none."""
        try:
            body = json.loads(self.content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise UnreadableAnswer(f"{self.status} without a JSON object")
        return body

    @property
    def date(self) -> float | None:
        """The server's clock when it answered, rounded down to a second; seconds since 1970."""
        return _seconds(self.headers.get("date"))

    def retry_after_seconds(self) -> float | None:
        """Return the pause that the answer asks for."""
        asked = self.headers.get("retry-after", "")
        if asked.isdigit():
            return float(asked)
        until = _seconds(asked)
        return None if until is None or self.date is None else max(0.0, until - self.date)

    def error(self) -> ApiError | UnreadableAnswer:
        """Return the error of an answer that is none of success."""
        try:
            body = self.json()
            said = body["error"]
            return api_error_class(self.status)(
                status=self.status,
                code=said["code"],
                message=said["message"],
                description=said["description"],
                details=said.get("details"),
                payment=Payment.read(body["payment"]) if "payment" in body else None,
                retry_after_seconds=self.retry_after_seconds(),
                request_id=self.headers.get("x-request-id"),
            )
        except (KeyError, TypeError, ValueError, UnreadableAnswer):
            return UnreadableAnswer(f"{self.status} without this API's error")


Step = Request | Pause
Reply = Answer | NotSent | Lost
Result = TypeVar("Result")
Call = Generator[Step, Reply | None, Result]
#: Seconds of a clock that is never set back.
Clock = Callable[[], float]


def ask(request: Request) -> Call[Reply]:
    """Send a request; return its reply."""
    reply = yield request
    assert reply is not None, "a request without a reply"
    return reply


def _seconds(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None
