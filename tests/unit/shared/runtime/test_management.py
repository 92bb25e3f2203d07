"""The management port: liveness, readiness, metrics."""

import asyncio
import signal
import socket

import httpx
import pytest

from shared.metrics.metrics import Metrics
from shared.runtime.management import ReadyCheck, management_server
from shared.settings.settings import SettingsError


async def ready() -> str | None:
    return None


async def missing() -> str | None:
    return "nothing consumes payments"


async def broken() -> str | None:
    raise RuntimeError("secret detail")


async def ask(path: str, checks: dict[str, ReadyCheck], method: str = "GET") -> httpx.Response:
    metrics = Metrics("api")
    async with (
        management_server("127.0.0.1", 0, process="api", registry=metrics.registry, checks=checks) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        return await client.request(method, path)


async def test_a_process_is_alive_whatever_is_missing() -> None:
    """An unavailable broker is no reason to kill the process."""
    answer = await ask("/healthz", {"broker": missing})

    assert (answer.status_code, answer.json()) == (200, {"process": "api", "alive": True})


async def test_a_process_is_ready_when_every_check_is() -> None:
    """Each check is named, ready or not."""
    answer = await ask("/readyz", {"broker": ready, "database": ready})

    assert answer.status_code == 200
    assert answer.json() == {
        "process": "api",
        "ready": True,
        "checks": {"broker": "ready", "database": "ready"},
    }


async def test_a_failed_check_is_named_without_the_text_of_its_exception() -> None:
    """503 with a human-readable reason; an exception may contain a secret."""
    answer = await ask("/readyz", {"consumer": missing, "database": broken, "publisher": ready})

    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "consumer": "nothing consumes payments",
        "database": "the check failed: RuntimeError",
        "publisher": "ready",
    }


async def test_metrics_are_served_in_prometheus_text() -> None:
    """With the running version."""
    answer = await ask("/metrics", {})

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "cloud_terminal_build_info{" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/healthz", 405), ("HEAD", "/healthz", 200)]
)
async def test_nothing_else_is_served(method: str, path: str, status: int) -> None:
    """Nothing can be changed through this port."""
    assert (await ask(path, {}, method)).status_code == status


async def test_a_port_that_is_taken_names_the_setting() -> None:
    """The operator reads what to type, and no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        registry = Metrics("api").registry
        with pytest.raises(SettingsError, match="CLOUD_TERMINAL_MANAGEMENT_PORT"):
            async with management_server("127.0.0.1", port, process="api", registry=registry, checks={}):
                pytest.fail("the port was taken")


@pytest.mark.parametrize("host", ["192.0.2.1", " ", "256.1.1.1", "caf\u00e9.invalid", "127.0.0.1:80"])
async def test_an_address_that_is_no_ones_here_names_the_setting(host: str) -> None:
    """Another machine's, or none at all."""
    registry = Metrics("api").registry
    with pytest.raises(SettingsError, match="Set CLOUD_TERMINAL_MANAGEMENT_HOST to an address of this"):
        async with management_server(host, 0, process="api", registry=registry, checks={}):
            pytest.fail("it is no address of this machine")


async def test_the_process_keeps_its_own_signal_handlers() -> None:
    """SIGTERM is handled by the composition root, which drains first."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    registry = Metrics("api").registry

    async with management_server("127.0.0.1", 0, process="api", registry=registry, checks={}):
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
        await asyncio.sleep(0)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
