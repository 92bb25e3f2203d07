"""The client of verbs that call the API; a failure is a sentence on standard error and an exit code."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Final
from urllib.parse import quote

import httpx
import typer

from cli.process import EXIT_UNAVAILABLE, EXIT_USAGE, fail, plain_errors
from cli.remote.target import Machine, Target, TargetRefused, choose_target
from cli.verbs import given_options

#: The API has nothing of this name.
EXIT_NOT_FOUND: Final = 3
#: The credential is wrong, or may not do this.
EXIT_FORBIDDEN: Final = 4
#: What is stored contradicts it: it has changed, or is not allowed in this state.
EXIT_CONFLICT: Final = 5
# 6 is `cli.totals.compare_command.EXIT_DIFFERENT`.
#: The payment ended and no money moved, nor can it.
EXIT_FAILED: Final = 7
#: The money may have moved: the outcome is unknown.
EXIT_IN_DOUBT: Final = 8

_EXIT_CODES: Final = {
    400: EXIT_USAGE,
    401: EXIT_FORBIDDEN,
    403: EXIT_FORBIDDEN,
    404: EXIT_NOT_FOUND,
    409: EXIT_CONFLICT,
    413: EXIT_USAGE,
    415: EXIT_USAGE,
}
_PAGE_ROWS: Final = 100
#: Longer than the API waits for a payment's result.
_TIMEOUT_SECONDS: Final = 180.0


def path_of(*parts: str) -> str:
    """Return a path of these parts; what a user typed never leads to another path."""
    return "/" + "/".join(_quoted(part) for part in parts)


def _quoted(part: str) -> str:
    # httpx would resolve a part of dots alone.
    return quote(part, safe="").replace(".", "%2E") if set(part) == {"."} else quote(part, safe="") or "%20"


class Api:
    """Calls of one verb, one after the other."""

    def __init__(self, runner: "asyncio.Runner", client: httpx.AsyncClient) -> None:
        self._runner: Final = runner
        self._client: Final = client

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Return the JSON of a successful answer, None for an empty one; `request` is as for httpx.

        Raises typer.Exit.
        """
        answered = self.answer(method, path, **request)
        if answered.status_code >= 400:
            raise refused(answered)
        return answered.json() if answered.content else None

    def answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return any answer, read whole. Raises typer.Exit where there is none."""
        with _reachable():
            return self._send(method, path, request)

    def tried(self, method: str, path: str, **request: Any) -> httpx.Response | httpx.TransportError:
        """Return any answer, or what went wrong: for a caller that has to know what may have arrived."""
        try:
            return self._send(method, path, request)
        except httpx.TransportError as error:
            return error

    def _send(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **_without_nothing(request)))

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, params=query)

    def pages(self, path: str, key: str, most: int, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page by page; at most `most`, all for 0."""
        cursor, seen = None, 0
        while True:
            left = _PAGE_ROWS if not most else min(_PAGE_ROWS, most - seen)
            page = self.get(path, **query, cursor=cursor, limit=left)
            yield from page[key]
            seen += len(page[key])
            cursor = page.get("next")
            if cursor is None or (most and seen >= most):
                return

    def lines(self, path: str, **query: Any) -> Iterator[str]:
        """Yield the lines of an answer as they come, each with its end. Raises typer.Exit.

        They end at a line feed alone: a text of a POS may hold what else ends lines of Unicode.
        """
        request = self._client.build_request("GET", path, **_without_nothing({"params": query}))
        with _reachable():
            answered = self._runner.run(self._client.send(request, stream=True))
        try:
            if answered.status_code >= 400:
                self._runner.run(answered.aread())
                raise refused(answered)
            parts, begun = answered.aiter_bytes(), b""
            while True:
                with _reachable():
                    part = self._runner.run(_next(parts))
                if part is None:
                    break
                *lines, begun = (begun + part).split(b"\n")
                for line in lines:
                    yield f"{line.decode()}\n"
            if begun:
                yield begun.decode()
        finally:
            self._runner.run(answered.aclose())


async def _next(parts: AsyncIterator[bytes]) -> bytes | None:
    return await anext(parts, None)


@contextmanager
def api(*, makes_database: bool = False, needs_broker: bool = False) -> Iterator[Api]:
    """Yield the API that the verb's options name. Raises typer.Exit where it cannot be used.

    `makes_database`: on the machine an SQLite database that does not exist yet is created.
    `needs_broker`: the verb is for an API over HTTP, since a command on the machine has no broker.
    """
    with plain_errors():
        try:
            target = choose_target(given_options.get())
        except TargetRefused as error:
            raise fail(str(error), EXIT_USAGE) from error
        if needs_broker and isinstance(target, Machine):
            raise fail("Name an API: --url, or a --profile. Here is no broker to reach a worker.", EXIT_USAGE)
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()
            try:
                yield Api(runner, runner.run(_connect(stack, target, makes_database)))
            finally:
                runner.run(stack.aclose())


async def _connect(stack: AsyncExitStack, target: Target, makes_database: bool) -> httpx.AsyncClient:
    if isinstance(target, Machine):
        return await stack.enter_async_context(await _machine_client(stack, target, makes_database))
    return await stack.enter_async_context(
        httpx.AsyncClient(
            base_url=target.url, auth=(target.username, target.secret), timeout=_TIMEOUT_SECONDS
        )
    )


async def _machine_client(stack: AsyncExitStack, target: Machine, makes_database: bool) -> httpx.AsyncClient:
    from cli.remote.in_process import InProcessTransport
    from cli.remote.machine import PROCESS, UnknownMerchant, machine_app
    from shared.runtime.logging import configure_logging
    from shared.settings.load import load_settings

    settings = load_settings()
    configure_logging(settings.log_format, "error", process=PROCESS)
    try:
        app = await stack.enter_async_context(machine_app(settings, target.merchant_id, makes_database))
    except UnknownMerchant as error:
        raise fail(f"Unknown merchant {error}.", EXIT_NOT_FOUND) from error
    return httpx.AsyncClient(
        transport=InProcessTransport(app), base_url="http://machine", timeout=_TIMEOUT_SECONDS
    )


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise fail(
            f"The API cannot be reached: {str(error) or type(error).__name__}", EXIT_UNAVAILABLE
        ) from error


def refused(answered: httpx.Response) -> typer.Exit:
    """Print an error's answer and return the exit to raise."""
    try:
        error = answered.json()["error"]
        sentence = f"{error.get('description') or error.get('message')} ({error['code']})"
        details = error.get("details")
    except (ValueError, KeyError, TypeError):
        sentence, details = f"The API answered {answered.status_code}.", None
    if isinstance(details, dict):
        named = [f"{name}: {value}" for name, value in details.items() if name in ("path", "parameter")]
        sentence += "".join(f"\n{line}" for line in named)
    return fail(sentence, _EXIT_CODES.get(answered.status_code, EXIT_UNAVAILABLE))


def _without_nothing(request: dict[str, Any]) -> dict[str, Any]:
    """Return the request without parameters that are None, which httpx would send empty."""
    query = request.get("params")
    if query is None:
        return request
    return {**request, "params": {name: _text(value) for name, value in query.items() if value is not None}}


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
