"""Scripted refusals of the merchant's server."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Target = Literal["notifications", "webhooks"]


class AnswerScript(BaseModel):
    """The body of `POST /script`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Target
    #: Status of the next answers; the messages are not taken. 404 and 409 mean 'retry later'.
    status: Annotated[int, Field(ge=300, le=599)] = 500
    times: Annotated[int, Field(ge=0, le=10_000)] = 1
    #: For notifications: Captured before Authorized is answered 409, as real shops do.
    strict_order: bool = False


class ScriptedAnswers:
    """Refusals that are left for each kind of message."""

    def __init__(self) -> None:
        self._left: Final[dict[Target, tuple[int, int]]] = {}
        self.strict_order = False

    def script(self, wanted: AnswerScript) -> None:
        """Replace the target's script."""
        self._left[wanted.target] = (wanted.status, wanted.times)
        if wanted.target == "notifications":
            self.strict_order = wanted.strict_order

    def next(self, target: Target) -> int | None:
        """Return the status that refuses the next message, and count it; None: take the message."""
        status, times = self._left.get(target, (0, 0))
        if not times:
            return None
        self._left[target] = (status, times - 1)
        return status

    def reset(self) -> None:
        """Drop all scripts."""
        self._left.clear()
        self.strict_order = False
