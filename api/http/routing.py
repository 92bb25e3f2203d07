"""Routes of the API's own resources: log-in first, then query and body within their limits, then FastAPI.

FastAPI reads a body before it asks a dependency, and checks one of any size. `ApiRoute` refuses a client
without the credential that its router requires before a byte of the body is read, and hands FastAPI a body
that was read within the limits of bytes, time, values and levels.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParameter
from fastapi.responses import Response
from fastapi.routing import APIRoute

from api.http.dependencies import Dependencies, RequiredCredential, check_media_type, read_body
from api.http.entity_tags import tagged
from api.http.errors import InvalidRequest
from api.http.json_text import JsonResponse, read_json
from api.http.query import check_query
from api.openapi.components import USUAL_ERRORS, error_responses

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_CONTENT_TYPE: Final = b"content-type"
_JSON: Final = (_CONTENT_TYPE, b"application/json")


class ApiRoute(APIRoute):
    """A route behind a credential; its operation id is its function's name in camel case."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["operation_id"] = options.get("operation_id") or _camel_case(endpoint.__name__)
        # An answer leaves out what is not known.
        options["response_model_exclude_unset"] = True
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()
        required = [
            dependency.dependency
            for dependency in self.dependencies
            if isinstance(dependency.dependency, RequiredCredential)
        ]
        parameters = tuple(
            field.alias
            for field in get_flat_params(self.dependant)
            if isinstance(field.field_info, QueryParameter)
        )
        checks_query = bool(parameters) or "GET" in (self.methods or ())
        takes_body = self.body_field is not None
        may_be_empty = takes_body and not self.dependant.body_params[0].field_info.is_required()

        async def run(request: Request) -> Response:
            for credential in required:
                await credential(request)
            if checks_query:
                check_query(request, parameters)
            return tagged(
                request, await handle(await _with_json(request, may_be_empty) if takes_body else request)
            )

        return run


async def _with_json(request: Request, may_be_empty: bool) -> Request:
    """Return the request with its body read and parsed, any `application/*` as JSON; none where it may.

    Raises BodyTooLarge, RequestTimeout, EncodedBody, MissingMediaType, UnsupportedMediaType, UnreadableBody.
    """
    dependencies: Dependencies = request.app.state.dependencies
    body = await read_body(request)
    if may_be_empty and not body:
        return _ReadRequest(request.scope, request.receive, body, None)
    check_media_type(request.headers.get("content-type"))
    headers = [header for header in request.scope["headers"] if header[0] != _CONTENT_TYPE]
    nesting_limit = dependencies.settings.body_nesting_limit
    value = await dependencies.large_work.run(len(body), read_json, body, nesting_limit)
    if may_be_empty and value is None:
        # FastAPI would take it for an empty body.
        raise InvalidRequest("type", "should be object", "")
    return _ReadRequest({**request.scope, "headers": [*headers, _JSON]}, request.receive, body, value)


class _ReadRequest(Request):
    """A request whose body was read and parsed before."""

    def __init__(self, scope: Any, receive: Any, body: bytes, value: Any) -> None:
        super().__init__(scope, receive)
        self._read_body: Final = body
        self._value: Final = value

    async def body(self) -> bytes:
        return self._read_body

    async def json(self) -> Any:
        return self._value


def api_router(prefix: str, *, caller: RequiredCredential, tag: str) -> APIRouter:
    """Return a router whose every route requires this kind of credential."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=ApiRoute,
        dependencies=[Depends(caller)],
        default_response_class=JsonResponse,
        responses=error_responses(*USUAL_ERRORS),
    )


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)
