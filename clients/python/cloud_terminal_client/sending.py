"""Requests over httpx: their options, and what became of them. Both clients share it."""

import json
from typing import Any, Final

import httpx

from cloud_terminal_client.exchange import Answer, Lost, NotSent, Reply, Request

#: Errors before any byte of the request left.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_CONNECT_SECONDS: Final = 5.0


def client_options(base_url: str, username: str, password: str, more: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the httpx client."""
    return {
        "base_url": base_url.rstrip("/"),
        "auth": httpx.BasicAuth(username, password),
        "headers": {"accept": "application/json", "user-agent": "cloud-terminal-client"},
        **more,
    }


def request_options(request: Request, answer_seconds: float) -> dict[str, Any]:
    """Return the arguments of one request."""
    timeout = httpx.Timeout(answer_seconds + request.waits_seconds, connect=_CONNECT_SECONDS)
    options: dict[str, Any] = {
        "params": dict(request.query),
        "headers": dict(request.headers),
        "timeout": timeout,
    }
    if request.body is not None:
        options["content"] = json.dumps(request.body).encode()
        options["headers"]["content-type"] = "application/json"
    return options


def answer_of(response: httpx.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def failure_of(error: httpx.TransportError) -> Reply:
    return NotSent(error) if isinstance(error, _NOT_SENT) else Lost(error)
