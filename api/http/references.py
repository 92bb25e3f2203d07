"""References in an error's answer: the request's id, and the page that explains the error.

Answers of the connector have neither, since its published contract has no such members; the request's id is
in the header `X-Request-Id` there, too.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from api.http.errors import ApiError

ERRORS_PAGE: Final = "/docs/errors"
_CONTRACT: Final = "/v1/connector"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request of a route of our own."""

    request_id: str
    root_path: str


_asked: ContextVar[_Asked | None] = ContextVar("asked", default=None)


def refer_to(path: str, request_id: str | None, root_path: str) -> None:
    """Let errors of this task's request refer to it, unless its path is the contract's."""
    is_own = request_id is not None and path != _CONTRACT and not path.startswith(f"{_CONTRACT}/")
    _asked.set(_Asked(request_id, root_path) if is_own and request_id is not None else None)


def body_with_references(error: ApiError) -> dict[str, Any]:
    """Return the error's body, with its references where the route has them."""
    body, asked = error.body(), _asked.get()
    if asked is not None:
        doc_url = f"{asked.root_path}{ERRORS_PAGE}#{type(error).__name__}"
        body["error"] |= {"request_id": asked.request_id, "doc_url": doc_url}
    return body
