"""Connections of the API's server: bounds from the settings, refusals in the contract's form."""

from functools import partial
from typing import Any, Final

from api.http.errors import ApiError, HeadTooLarge, MalformedRequest, RequestTimeout
from api.http.json_text import write_json
from api.http.logins.errors import TooManyConnections
from shared.metrics.metrics import Metrics
from shared.network.client_addresses import UnauthenticatedConnections
from shared.network.http_bounds import Bounds, Refusal
from shared.network.http_protocol import BoundedProtocol
from shared.settings.settings import Settings

#: Longer than proxies and POS keep an idle connection, so that they close it.
KEEP_ALIVE_SECONDS: Final = 75

_ERRORS: Final[dict[Refusal, type[ApiError]]] = {
    Refusal.HEAD_TIMEOUT: RequestTimeout,
    Refusal.HEAD_TOO_LARGE: HeadTooLarge,
    Refusal.TOO_MANY_CONNECTIONS: TooManyConnections,
}


def http_options(settings: Settings, metrics: Metrics) -> dict[str, Any]:
    """Return the options of the API's server."""

    def refuse_counted(refusal: Refusal) -> bytes:
        metrics.http.connection_refused(refusal.name.lower())
        return refuse(refusal)

    bounds = Bounds(
        head_timeout_seconds=settings.head_timeout_seconds,
        unauthenticated=UnauthenticatedConnections(
            settings.connections_before_login_limit, settings.trusted_proxies
        ),
        refuse=refuse_counted,
    )
    return {
        "http": partial(BoundedProtocol, bounds=bounds),
        "ws": "none",
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "forwarded_allow_ips": [str(network) for network in settings.trusted_proxies],
    }


def refuse(refusal: Refusal) -> bytes:
    """Return the whole HTTP answer of a refusal, after which the connection is closed."""
    error = MalformedRequest() if refusal is Refusal.MALFORMED else _ERRORS[refusal]()
    body = write_json(error.body()).encode()
    headers = {
        **error.headers,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    return f"HTTP/1.1 {error.status} {error.message}\r\n{lines}\r\n".encode() + body
