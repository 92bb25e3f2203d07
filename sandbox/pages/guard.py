"""Guard of the sandbox's systems against requests that another site's page makes a browser send.

The systems have no authentication, so such a request is refused: one from a form or script (Origin), and one
to a host name that leads here (Host, DNS rebinding).
"""

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

_LOCALHOST: Final = "localhost"


def refusal(scope: Scope, names: Collection[str]) -> str | None:
    """Return the reason to refuse the request, or None; `names`: host names of this system."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if not _is_ours(host, names):
        return "sent to a name that is not this system's"
    if scope["method"] in ("GET", "HEAD"):
        return None
    origin = headers.get(b"origin")
    if origin is not None and _authority(origin.decode("latin-1").lower()) != host:
        return "sent by a page of another site"
    if headers.get(b"sec-fetch-site") == b"cross-site":
        return "sent by a page of another site"
    return None


def _is_ours(host: str, names: Collection[str]) -> bool:
    """Return whether the host cannot be rebound: an address, a known name, or a name without a dot."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not name:
        return False
    if "." not in name and ":" not in name:
        return True
    if name in names or name.endswith(f".{_LOCALHOST}"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
