"""Wait for the outcome of a payment, whatever fails meanwhile. Nothing unknown is ever called failed."""

import math
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cli.remote.client import EXIT_FAILED, EXIT_IN_DOUBT, Api, path_of, refused
from shared.payment.states import FINAL_STATES, State

if TYPE_CHECKING:
    import httpx

    from cli.remote.output import Row

#: One look waits so long at most, so that each state is shown soon.
_LOOK_SECONDS: Final = 5
#: Pause after each failed look in a row; the last one repeats.
_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
#: Answers that no later look changes.
_REFUSALS: Final = frozenset({400, 401, 403, 404})


class Outcome(StrEnum):
    """Outcome of a payment for whoever waits for it."""

    SUCCEEDED = "succeeded"
    #: No money moved and none can still move.
    FAILED = "failed"
    #: The money may have moved.
    UNKNOWN = "unknown"


EXIT_CODES: Final = {Outcome.SUCCEEDED: 0, Outcome.FAILED: EXIT_FAILED, Outcome.UNKNOWN: EXIT_IN_DOUBT}


def outcome_of(payment: "Row") -> Outcome:
    """Return the outcome of a payment's object; only `safe_to_retry` says that nothing was charged."""
    if payment["state"] == State.SUCCEEDED:
        return Outcome.SUCCEEDED
    if payment["state"] in FINAL_STATES and payment["safe_to_retry"]:
        return Outcome.FAILED
    return Outcome.UNKNOWN


def payment_in(answered: "httpx.Response") -> dict[str, Any] | None:
    """Return the payment that an answer has; None where it has none, or is a proxy's."""
    try:
        found = answered.json()["payment"]
        outcome_of(found)
    except (KeyError, TypeError, ValueError):
        return None
    payment: dict[str, Any] = found
    return payment


def error_in(answered: "httpx.Response") -> str | None:
    """Return why an answered payment failed, `04: insufficient funds`; None where the answer has no error."""
    body = answered.json()
    if "errorCode" in body:
        return f"{body['errorCode']}: {body.get('errorDescription', '')}".rstrip(": ")
    error = body.get("error")
    return str(error.get("description")) if isinstance(error, dict) and "description" in error else None


class Follower:
    """Looks at one payment until it is settled; `on_change` gets it in each new state."""

    def __init__(self, server: Api, payment_id: str, on_change: Callable[["Row"], None]) -> None:
        self._server: Final = server
        self._payment_id: Final = payment_id
        self._path: Final = path_of("v1", "payments", payment_id)
        self._on_change: Final = on_change
        self._is_refused = False
        #: The payment as it was last seen; a caller that knows it already sets it.
        self.payment: dict[str, Any] | None = None
        #: Why it failed, where an answer said so.
        self.error: str | None = None

    def run(self, deadline: float | None) -> Outcome:
        """Return the outcome: unknown at the deadline (monotonic), or once nothing settles it by itself.

        Raises typer.Exit where the API refuses to show a payment that was never seen.
        """
        failures = 0
        while True:
            left = math.inf if deadline is None else deadline - time.monotonic()
            asked_at = time.monotonic()
            seconds = math.ceil(max(0, min(left, _LOOK_SECONDS)))
            answered = self._server.tried("GET", self._path, params={"wait": seconds})
            if self._saw(answered):
                failures = 0
                if self._is_over() or left <= 0:
                    break
                # An API that stops answers early.
                pause = 0.5 if time.monotonic() - asked_at < seconds / 2 else 0.0
            else:
                failures += 1
                pause = _PAUSES_SECONDS[min(failures, len(_PAUSES_SECONDS)) - 1]
                if left <= pause:
                    break
            time.sleep(pause)
        return Outcome.UNKNOWN if self.payment is None else outcome_of(self.payment)

    def _saw(self, answered: "httpx.Response | httpx.TransportError") -> bool:
        if isinstance(answered, Exception):
            return False
        if answered.status_code in _REFUSALS:
            if self.payment is None:
                raise refused(answered)
            # It is there, and may move money: a refusal to show it ends only the looks.
            self._is_refused = True
            return True
        found = payment_in(answered) if answered.status_code == 200 else None
        if found is None:
            return False
        if self.payment is None or self.payment["state"] != found["state"]:
            self._on_change(found)
        self.payment, self.error = found, error_in(answered)
        return True

    def _is_over(self) -> bool:
        assert self.payment is not None, "it was seen"
        if self._is_refused:
            return True
        # A final state that is not safe to retry stays unknown until an operator looks at it.
        return self.payment["state"] in FINAL_STATES or self.payment.get("resolving") is False
