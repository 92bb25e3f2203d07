"""Entity tags of answers to GET: a client that has the answer already gets a 304 without a body, and a change
with a tag is made only while the answer would still be the same."""

import hashlib
from typing import Annotated, Final

from fastapi import Depends, Header, Request
from fastapi.responses import Response, StreamingResponse

from api.http.errors import PreconditionFailed
from api.http.json_text import JsonResponse
from api.http.models import ResponseBody

_DIGEST_BYTES: Final = 16


def tagged(request: Request, response: Response) -> Response:
    """Return the answer with its ETag, or a 304 where If-None-Match names it. What is streamed has none."""
    if request.method != "GET" or response.status_code != 200 or isinstance(response, StreamingResponse):
        return response
    tag = _tag_of(response)
    response.headers["ETag"] = tag
    if not _names(request.headers.get("if-none-match", ""), tag):
        return response
    kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    return Response(status_code=304, headers=kept)


def _tag_of(response: Response) -> str:
    return f'"{hashlib.blake2b(response.body, digest_size=_DIGEST_BYTES).hexdigest()}"'


def _names(given: str, tag: str) -> bool:
    """Compare weakly: a proxy that compressed the answer marks its tag with W/."""
    return given.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in given.split(","))


class IfMatch:
    """A client's condition on a change: the resource is still the one that it has seen."""

    def __init__(
        self,
        given: Annotated[
            str | None,
            Header(
                alias="If-Match",
                description="ETag of the answer to GET that is changed; a 412 where it has changed since.",
            ),
        ] = None,
    ) -> None:
        self._given: Final = given

    @property
    def is_given(self) -> bool:
        """Return True if the resource has to be looked at before."""
        return self._given is not None

    def check(self, shown: ResponseBody) -> None:
        """Compare with what a GET would answer now. Raises PreconditionFailed."""
        if self._given is not None and not _names(self._given, _tag_of(JsonResponse(shown.shown()))):
            raise PreconditionFailed


Unchanged = Annotated[IfMatch, Depends()]
