"""Entity tags of answers to GET: a client that has the answer already gets a 304 without a body."""

import hashlib
from typing import Final

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

_DIGEST_BYTES: Final = 16


def tagged(request: Request, response: Response) -> Response:
    """Return the answer with its ETag, or a 304 where If-None-Match names it. What is streamed has none."""
    if request.method != "GET" or response.status_code != 200 or isinstance(response, StreamingResponse):
        return response
    tag = f'"{hashlib.blake2b(response.body, digest_size=_DIGEST_BYTES).hexdigest()}"'
    response.headers["ETag"] = tag
    if not _names(request.headers.get("if-none-match", ""), tag):
        return response
    kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    return Response(status_code=304, headers=kept)


def _names(if_none_match: str, tag: str) -> bool:
    """Compare weakly, as a GET does: a proxy that compressed the answer marks its tag with W/."""
    given = (one.strip().removeprefix("W/") for one in if_none_match.split(","))
    return if_none_match.strip() == "*" or tag in given
