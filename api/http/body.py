"""Reader of a request's body, up to a limit of bytes and of time; of media types that are accepted."""

import asyncio

from fastapi import Request

from api.http.dependencies import Dependencies
from api.http.errors import BodyTooLarge, EncodedBody, MissingMediaType, RequestTimeout, UnsupportedMediaType


async def read_body(request: Request) -> bytes:
    """Return the body as it was sent.

    Raises BodyTooLarge as soon as it is too long, whatever Content-Length says; RequestTimeout where it does
    not come; EncodedBody for a compressed one; ClientDisconnect where the client left.
    """
    dependencies: Dependencies = request.app.state.dependencies
    settings = dependencies.settings
    limit_bytes = settings.body_limit_bytes
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise BodyTooLarge
    received = bytearray()
    try:
        async with asyncio.timeout(settings.body_timeout_seconds):
            async for chunk in request.stream():
                received += chunk
                if len(received) > limit_bytes:
                    raise BodyTooLarge
    except TimeoutError:
        raise RequestTimeout from None
    if request.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise EncodedBody
    return bytes(received)


def check_media_type(content_type: str | None) -> None:
    """Accept any `application/*`, parameters included; raise MissingMediaType or UnsupportedMediaType."""
    if content_type is None or not content_type.strip():
        raise MissingMediaType
    kind, slash, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    if kind != "application" or not slash or not subtype:
        raise UnsupportedMediaType
