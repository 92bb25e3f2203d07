"""Log-in, log-out and the sessions of the page: a cookie that scripts and other sites cannot use."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from api.http.dependencies import Dependencies
from api.limits.fair_shares import Share
from api.operator.acting import actor_of
from shared.security.credentials import CredentialKind, Role
from shared.storage.administration import sessions
from shared.storage.administration.audit_trail import Actor
from shared.storage.terminals import merchants
from shared.storage.terminals.merchants import Credential

COOKIE: Final = "cloud_terminal_operator"
PATH: Final = "/operator"


@dataclass(frozen=True, slots=True)
class Session:
    """An operator who is logged in."""

    operator: Credential
    token: str = field(repr=False)

    @property
    def role(self) -> Role:
        assert self.operator.role is not None, "an operator has a role"
        return self.operator.role

    @property
    def form_token(self) -> str:
        """The text that each form carries, so that no other site's form is taken for one of ours."""
        return hashlib.sha256(f"form {self.token}".encode()).hexdigest()

    def actor(self, reason: str | None = None) -> Actor:
        return actor_of(self.operator, reason)

    def may(self, role: Role) -> bool:
        return self.role.includes(role)

    def sent(self, form_token: str) -> bool:
        """Return True if the form is one of this session's pages."""
        return hmac.compare_digest(form_token.encode(), self.form_token.encode())


async def log_in(dependencies: Dependencies, username: str, secret: str) -> Session:
    """Begin a session. Raises what a log-in by HTTP Basic raises, with the same limits of failed ones."""
    pair = base64.b64encode(f"{username}:{secret}".encode()).decode()
    operator = await dependencies.credentials.of_kind(
        f"Basic {pair}", CredentialKind.OPERATOR, Share.MANAGEMENT
    )
    session = Session(operator, secrets.token_urlsafe(32))
    await sessions.begin(dependencies.database, _hash(session.token), session.actor())
    return session


async def session_of(dependencies: Dependencies, request: Request) -> Session | None:
    """Return the session of the request's cookie; None: there is none, or it has ended.

    The credential is read for each request: a revoked one ends its sessions, a changed role counts at once.
    """
    token = request.cookies.get(COOKIE, "")
    if not token:
        return None
    name = await sessions.find(dependencies.database, _hash(token))
    if name is None:
        return None
    found = (await merchants.credentials(dependencies.database, [name])).get(name)
    if found is None or found.kind is not CredentialKind.OPERATOR or found.role is None:
        return None
    dependencies.last_uses.add(found.id)
    return Session(found, token)


async def log_out(dependencies: Dependencies, session: Session) -> None:
    """End the session."""
    await sessions.end(dependencies.database, _hash(session.token), session.actor())


def set_cookie(response: Response, request: Request, token: str) -> None:
    """Give the browser the session's token."""
    response.set_cookie(
        COOKIE,
        token,
        path=PATH,
        max_age=sessions.LONGEST_SECONDS,
        httponly=True,
        samesite="strict",
        secure=not _is_loopback(request),
    )


def forget_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path=PATH)


def is_foreign(request: Request) -> bool:
    """Return True if a page of another site sent this form."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    # Compared as text: a client may write anything, and a browser `null`.
    host = origin.partition("://")[2]
    return not host or host != request.headers.get("host")


def _is_loopback(request: Request) -> bool:
    """Return True where the page is opened on this machine, without TLS."""
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
