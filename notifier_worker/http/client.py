"""HTTP posts to checked addresses, with a limit on time and size; no redirect is followed."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final, cast

import httpcore

from notifier_worker.http.errors import BadAnswer, CertificateInvalid, NoConnection, PostFailed, TimedOut
from notifier_worker.http.idle_connections import IdleConnections, Origin
from notifier_worker.http.network_backend import CheckedNetwork, Resolver
from shared.concert.mask import mask_card_numbers
from shared.network.dns import Lookup
from shared.network.targets import AddressPolicy, Target

#: Bytes of an answer's body that are kept for display.
MAX_BODY_BYTES: Final = 2048
#: Seconds that a body may take after the status is known; the bytes that arrived by then are kept.
_BODY_SECONDS: Final = 1.0
#: Characters of a redirect's Location that are kept.
MAX_LOCATION_CHARACTERS: Final = 500
_MAX_LOCATION_BYTES: Final = 4096

#: A name and password before the host.
_USER: Final = re.compile(r"^((?:[a-z][a-z0-9+.-]*:)?//)[^/?#]*@", re.IGNORECASE)
#: A query or fragment may hold a secret; its presence alone may explain the redirect.
_AFTER_PATH: Final = re.compile(r"([?#]).+", re.DOTALL)

#: OpenSSL's numbers of certificate errors.
_CERTIFICATE_REASONS: Final = {
    9: ("certificate_not_yet_valid", "The receiver's certificate is not valid yet."),
    10: ("certificate_expired", "The receiver's certificate has expired."),
    62: ("certificate_name", "The receiver's certificate is for another name."),
    64: ("certificate_name", "The receiver's certificate is for another address."),
}
_UNTRUSTED: Final = (
    "certificate_untrusted",
    "The receiver's certificate is not signed by a trusted authority.",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A receiver's answer. A redirect is an answer like any other and is not followed."""

    #: 200 or more: interim answers (1xx) are skipped, and 101 is no answer to a post.
    status: int
    #: The header's text as received, seconds or a date.
    retry_after: str | None
    #: The target of a redirect (3xx), see `kept_location`.
    location: str | None
    #: The first 2048 bytes.
    body: bytes


class HttpClient:
    """A client that posts, each time on one connection; the caller limits how many run at the same time."""

    def __init__(
        self,
        policy: AddressPolicy,
        lookup: Lookup,
        *,
        ssl_context: ssl.SSLContext | None = None,
        name_timeout_seconds: float = 5.0,
        connect_timeout_seconds: float = 5.0,
        idle_seconds: float = 15.0,
        max_connections: int = 200,
    ) -> None:
        """`ssl_context` is the system's trust by default; it must verify certificates and host names.

        `max_connections`: an idle connection is closed where those in use and the idle ones would be more.
        """
        self._policy: Final = policy
        self._network: Final = CheckedNetwork(Resolver(lookup, policy, name_timeout_seconds))
        self._ssl_context: Final = ssl_context or ssl.create_default_context()
        self._connect_timeout_seconds: Final = connect_timeout_seconds
        self._idle_seconds: Final = idle_seconds
        self._max_connections: Final = max_connections
        self._idle: Final = IdleConnections(max_connections, idle_seconds)
        #: Posts under way, each with a connection.
        self._in_use = 0

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> Answer:
        """Post the body and return the answer, whatever its status.

        Host and Content-Length are set here. The time-out covers everything from the name's look-up to the
        status; the body gets the rest of it, one second at most.

        Raises TargetRefused and every PostFailed.
        """
        target = self._policy.check_url(url)
        self._in_use += 1
        try:
            return await self._post(target, headers, body, timeout_seconds)
        finally:
            self._in_use -= 1

    async def reach(self, url: str, timeout_seconds: float) -> None:
        """Connect as a post does, with its TLS handshake, and send nothing.

        Raises TargetRefused, NoConnection, CertificateInvalid, TimedOut.
        """
        target = self._policy.check_url(url)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._connect_only(target)
        except TimeoutError as error:
            raise TimedOut("connect_timeout", f"No connection within {timeout_seconds:g} s.") from error
        except httpcore.NetworkError as error:
            failure = _failure(error)
            assert failure is not None, "every error of a network is one of a post"
            raise failure from error

    async def _connect_only(self, target: Target) -> None:
        seconds = self._connect_timeout_seconds
        stream = await self._network.connect_tcp(target.host, target.port, seconds)
        try:
            if target.scheme == "https":
                stream = await stream.start_tls(self._ssl_context, target.host, seconds)
        finally:
            await stream.aclose()

    async def _post(
        self, target: Target, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Answer:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                connection, response = await self._exchange(target, headers, body)
        except TimeoutError as error:
            raise TimedOut("answer_timeout", f"No answer within {timeout_seconds:g} s.") from error
        try:
            first_bytes = await _first_bytes(response, min(deadline, loop.time() + _BODY_SECONDS))
        finally:
            await self._release(target, connection)
        return Answer(response.status, _retry_after(response), _location(response), first_bytes)

    async def aclose(self) -> None:
        """Close the idle connections; running posts close theirs at their end."""
        await self._idle.aclose()

    async def _exchange(
        self, target: Target, headers: Mapping[str, str], body: bytes
    ) -> tuple[httpcore.AsyncHTTPConnection, httpcore.Response]:
        idle = await self._idle.take(_origin(target))
        if idle is not None:
            try:
                return idle, await self._send(idle, target, headers, body)
            except BadAnswer as error:
                if error.reason != "no_answer":
                    raise
                # The receiver closed it while it was idle and has very likely seen nothing of this request.
        await self._idle.keep_at_most(self._max_connections - self._in_use)
        connection = httpcore.AsyncHTTPConnection(
            _url(target).origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=self._idle_seconds,
            network_backend=self._network,
        )
        return connection, await self._send(connection, target, headers, body)

    async def _send(
        self,
        connection: httpcore.AsyncHTTPConnection,
        target: Target,
        headers: Mapping[str, str],
        body: bytes,
    ) -> httpcore.Response:
        own = {"Host": target.authority, "Content-Length": str(len(body))}
        request = httpcore.Request(
            "POST",
            _url(target),
            headers=[(name.encode(), text.encode()) for name, text in {**own, **headers}.items()],
            content=body,
            extensions={"timeout": {"connect": self._connect_timeout_seconds}},
        )
        try:
            return await connection.handle_async_request(request)
        except BaseException as error:
            await connection.aclose()
            failure = _failure(error)
            if failure is None:
                raise
            raise failure from error

    async def _release(self, target: Target, connection: httpcore.AsyncHTTPConnection) -> None:
        if connection.is_idle():
            await self._idle.put(_origin(target), connection)
        else:
            await connection.aclose()


async def _first_bytes(response: httpcore.Response, deadline: float) -> bytes:
    """Read the body to its end, which leaves the connection idle, or to a limit, which closes it.

    The status is the result: errors from here on are ignored.
    """
    assert isinstance(response.stream, AsyncIterable)
    chunks = cast(AsyncGenerator[bytes, None], aiter(response.stream))
    body = bytearray()
    with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError, BadAnswer):
        async with asyncio.timeout_at(deadline), aclosing(chunks):
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    break
    await response.aclose()
    return bytes(body[:MAX_BODY_BYTES])


def _failure(error: BaseException) -> PostFailed | None:
    """Return the PostFailed for an error of httpcore's; None for one that is not about the receiver."""
    cause = error.__cause__
    match error:
        case httpcore.ConnectError() if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateInvalid(*_CERTIFICATE_REASONS.get(cause.verify_code, _UNTRUSTED))
        case httpcore.ConnectError():
            return NoConnection("tls_failed", "No encrypted connection could be agreed on with the receiver.")
        case httpcore.ConnectTimeout():
            return TimedOut("connect_timeout", "The receiver did not end the TLS handshake in time.")
        case httpcore.RemoteProtocolError() if cause is not None:
            return BadAnswer("not_http", "The receiver's answer is not HTTP.")
        case httpcore.RemoteProtocolError() | httpcore.NetworkError():
            return BadAnswer("no_answer", "The receiver closed the connection without an answer.")
    return None


def _retry_after(response: httpcore.Response) -> str | None:
    text = _header(response, b"retry-after")
    return None if text is None else text.decode("latin-1")[:100]


def _location(response: httpcore.Response) -> str | None:
    text = _header(response, b"location") if 300 <= response.status < 400 else None
    return None if text is None else kept_location(text)


def kept_location(raw: bytes) -> str:
    """Return a Location header for display, without secrets, card numbers and unprintable characters."""
    text = raw[:_MAX_LOCATION_BYTES].decode(errors="replace")
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    text = _AFTER_PATH.sub(r"\1...", _USER.sub(r"\1***@", text))
    return mask_card_numbers(text)[:MAX_LOCATION_CHARACTERS]


def _header(response: httpcore.Response, wanted: bytes) -> bytes | None:
    return next((text for name, text in response.headers if name.lower() == wanted), None)


def _origin(target: Target) -> Origin:
    return target.scheme, target.host, target.port


def _url(target: Target) -> httpcore.URL:
    return httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path_and_query.encode(),
    )
