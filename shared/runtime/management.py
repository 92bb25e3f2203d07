"""The management port of a process: liveness, readiness, acceptance and metrics over HTTP."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from shared.runtime.serving import listen, port_of, serving
from shared.settings.fields import variable

#: Returns None when ready, else the reason in one sentence.
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
    acceptance: ReadyCheck | None = None,
) -> AsyncIterator[int]:
    """Serve `/healthz`, `/readyz`, `/acceptz` and `/metrics` while the block runs; yield the port.

    `acceptance` is for proxies, which send requests; it is one of the checks, too. Port 0 takes a free one.
    Raises SettingsError where the port cannot be bound.
    """
    listening = listen(
        host, port, setting=variable("management_port"), host_setting=variable("management_host")
    )
    bound_port = port_of(listening)
    app = ManagementApp(process=process, registry=registry, checks=checks, acceptance=acceptance)
    async with serving(app, listening, drain_seconds=DRAIN_SECONDS):
        structlog.get_logger().info("management port is open", host=host, port=bound_port)
        yield bound_port


class ManagementApp:
    """The ASGI application of the management port; workers have no web framework."""

    def __init__(
        self,
        *,
        process: str,
        registry: CollectorRegistry,
        checks: Mapping[str, ReadyCheck],
        acceptance: ReadyCheck | None,
    ) -> None:
        self._process = process
        self._registry = registry
        self._acceptance = acceptance
        self._checks = checks if acceptance is None else {"requests": acceptance, **checks}

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],  # noqa: ARG002 - no request has a body here
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        status, content_type, body = await self._answer(scope["method"], scope["path"], accept)
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str, accept: str) -> _Answer:
        if method not in {"GET", "HEAD"}:
            return _json(405, {"error": "only GET is allowed here"})
        match path:
            case "/healthz":
                # The process is alive if its event loop reaches this line.
                return _json(200, {"process": self._process, "alive": True})
            case "/readyz":
                return await self._readiness()
            case "/acceptz" if self._acceptance is not None:
                problem = await _run_check(self._acceptance)
                body = {"process": self._process, "requests": problem or "ready"}
                return _json(503 if problem else 200, body)
            case "/metrics":
                # Exemplars, the traces of some values, are in the OpenMetrics format alone.
                encode, content_type = choose_encoder(accept)
                return 200, content_type, encode(self._registry)
            case _:
                return _json(404, {"error": "try /healthz, /readyz or /metrics"})

    async def _readiness(self) -> _Answer:
        results = await asyncio.gather(*(_run_check(check) for check in self._checks.values()))
        is_ready = all(result is None for result in results)
        body = {
            "process": self._process,
            "ready": is_ready,
            "checks": {name: result or "ready" for name, result in zip(self._checks, results, strict=True)},
        }
        return _json(200 if is_ready else 503, body)


async def _run_check(check: ReadyCheck) -> str | None:
    """Return the check's result; a check that hangs or raises means not ready."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_SECONDS:g} s"
    except Exception as error:
        return f"the check failed: {type(error).__name__}"


def _json(status: int, body: Mapping[str, object]) -> _Answer:
    return status, "application/json", json.dumps(body).encode()
