"""Acceptance of new requests, as a proxy in front of several API processes asks for it."""

from collections.abc import Awaitable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STARTING: Final = "starting"
_STOPPING: Final = "stopping"


class Acceptance:
    """Answer to `/acceptz`: new requests are welcome from the first served one to the signal to stop.

    It says nothing about database and broker: without them an API still answers, and knows the right answer.
    """

    def __init__(self) -> None:
        self._problem: str | None = _STARTING

    def begin(self) -> None:
        self._problem = None

    def end(self) -> None:
        """Refuse to be sent more; requests that come all the same are served."""
        self._problem = _STOPPING

    async def check(self) -> str | None:
        """Return None while new requests may be sent here, else the reason."""
        return self._problem

    def closing(self, app: ASGIApp) -> ASGIApp:
        """Return the application, whose answers end their connections once new requests are unwelcome.

        A client that keeps its connection would send its next request to a process that is about to end.
        """

        # Without a frame of its own, which every waiting request would have.
        def answer(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            async def send_closing(message: Message) -> None:
                if self._problem is not None and message["type"] == "http.response.start":
                    MutableHeaders(scope=message)["Connection"] = "close"
                await send(message)

            return app(scope, receive, send_closing)

        return answer
