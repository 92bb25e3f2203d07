"""The management port of a process: is it alive, is it ready, what does it measure."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from shared.runtime.serving import listen, port_of, serving
from shared.settings.fields import variable

#: Returns None when ready, else one sentence that says what is missing.
ReadyCheck = Callable[[], Awaitable[str | None]]

CHECK_TIMEOUT_SECONDS: Final = 5.0
DRAIN_SECONDS: Final = 1.0

_Message = MutableMapping[str, Any]
_Answer = tuple[int, str, bytes]


@contextlib.asynccontextmanager
async def management_server(
    host: str,
    port: int,
    *,
    process: str,
    registry: CollectorRegistry,
    checks: Mapping[str, ReadyCheck],
) -> AsyncIterator[int]:
    """Serve `/healthz`, `/readyz` and `/metrics` while the block runs; give the port that was taken.

    Port 0 takes a free one. Raises SettingsError where the port is not to be had.
    """
    listening = listen(host, port, setting=variable("management_port"))
    taken = port_of(listening)
    app = ManagementApp(process=process, registry=registry, checks=checks)
    async with serving(app, listening, drain_seconds=DRAIN_SECONDS):
        structlog.get_logger().info("management port is open", host=host, port=taken)
        yield taken


class ManagementApp:
    """A tiny ASGI application, so that a worker needs no web framework."""

    def __init__(
        self, *, process: str, registry: CollectorRegistry, checks: Mapping[str, ReadyCheck]
    ) -> None:
        self._process = process
        self._registry = registry
        self._checks = checks

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],  # noqa: ARG002 - no request has a body here
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        status, content_type, body = await self._answer(scope["method"], scope["path"])
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str) -> _Answer:
        if method not in {"GET", "HEAD"}:
            return _json(405, {"error": "only GET is answered here"})
        match path:
            case "/healthz":
                # That the event loop gets to this line is the whole answer.
                return _json(200, {"process": self._process, "alive": True})
            case "/readyz":
                return await self._readiness()
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)
            case _:
                return _json(404, {"error": "try /healthz, /readyz or /metrics"})

    async def _readiness(self) -> _Answer:
        names = list(self._checks)
        answers = await asyncio.gather(*(_look(self._checks[name]) for name in names))
        missing = {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}
        body = {
            "process": self._process,
            "ready": not missing,
            "checks": {name: missing.get(name, "ready") for name in names},
        }
        return _json(503 if missing else 200, body)


async def _look(check: ReadyCheck) -> str | None:
    """The check's answer; a check that hangs or fails is a reason not to be ready, never an error page."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_SECONDS:g} s"
    except Exception as error:
        return f"the check failed: {type(error).__name__}"


def _json(status: int, body: Mapping[str, object]) -> _Answer:
    return status, "application/json", json.dumps(body).encode()
