"""`X-Request-Id`: the client's where it is sane, else a new one; in the answer and in every log event."""

import re
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.ids import RandomBytes, new_process_id
from shared.runtime.logging import bound

_HEADER: Final = b"x-request-id"
_SANE: Final = re.compile(r"[\x21-\x7e]{1,128}")


class RequestIds:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, random_bytes: RandomBytes) -> None:
        self._app = app
        self._random_bytes = random_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER), "")
        request_id = given if _SANE.fullmatch(given) else new_process_id(self._random_bytes)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with bound(request_id=request_id):
            await self._app(scope, receive, send_with_id)
