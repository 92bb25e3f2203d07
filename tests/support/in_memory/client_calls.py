"""Calls of the Python client, carried out by hand: replies from a list, a clock that pauses set on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, TypeVar

from cloud_terminal_client.exchange import Answer, Call, Lost, NotSent, Pause, Reply, Request
from cloud_terminal_client.retrying import RetryPolicy, Surroundings

Result = TypeVar("Result")
#: Time of the server's clock when the hand clock shows 0; seconds since 1970.
SERVER_BEGAN = 1_772_712_000
LOST = Lost(ConnectionResetError("reset"))
NOT_SENT = NotSent(ConnectionRefusedError("refused"))


def reply_with(status: int, body: Mapping[str, Any] | bytes, at: float = 0, **headers: str) -> Answer:
    """Return an answer of the API; `at` is the server's time, headers are given with underscores."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"date": formatdate(SERVER_BEGAN + at, usegmt=True), **named}, content)


def shown_payment(state: str, **more: Any) -> dict[str, Any]:
    """Return a payment as the API shows it; `created` is its time by the server's clock."""
    return {
        "id": "pay_1",
        "order_id": "ORDER_1",
        "operation": "debit",
        "state": state,
        "safe_to_retry": state in {"refused", "aborted", "unreachable", "expired", "cancelled"},
        "replayed": False,
        "amount": 1250,
        "currency": "EUR",
        "created_at": "2026-03-05T12:00:00.500Z",
        "warnings": [],
        **more,
    }


def error_body(code: str, *, payment: Mapping[str, Any] | None = None, **details: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "error": {"status": 0, "code": code, "message": "m", "description": "d", "details": details}
    }
    return body if payment is None else {**body, "payment": payment}


@dataclass
class ByHand:
    """Carries a call out; keeps what it asked and how long it paused."""

    replies: list[Reply]
    #: How long each request takes.
    request_seconds: float = 0.0
    requests: list[Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    #: The reply once there are no more; None: every reply is used, and there is no further request.
    then: Reply | None = None

    @property
    def around(self) -> Surroundings:
        return Surroundings(RetryPolicy(tries=4), lambda: self.seconds, lambda: 1.0)

    def run(self, call: Callable[[Surroundings], Call[Result]]) -> Result:
        """Return the call's result; every reply has to be used."""
        steps, reply = call(self.around), None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as done:
                assert self.then is not None or self.replies == [], "replies that nobody asked for"
                result: Result = done.value
                return result
            if isinstance(step, Pause):
                self.pauses.append(step.seconds)
                self.seconds += step.seconds
                reply = None
            else:
                self.requests.append(step)
                self.seconds += self.request_seconds + step.waits_seconds
                reply = self.replies.pop(0) if self.replies else self.then
                assert reply is not None, f"one request too many: {step}"

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]
