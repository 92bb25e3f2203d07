"""Reads a request's body up to a limit."""

from fastapi import Request
from starlette.requests import ClientDisconnect

from api.contract.errors import BodyTooLarge, UnreadableBody


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """Return the body; raise BodyTooLarge as soon as it is too long, whatever Content-Length says."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise BodyTooLarge
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > limit_bytes:
                raise BodyTooLarge
    except ClientDisconnect:
        raise UnreadableBody("The connection was closed before the whole body had come.") from None
    return bytes(received)
