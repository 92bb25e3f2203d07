"""The switch of tracing: off it imports and does nothing, on it needs the SDK, and it never delays an end."""

import subprocess
import sys
import time

import pytest
from wire.webhook_receiver import receiving

from shared.settings.load import load_settings
from shared.settings.settings import SettingsError
from shared.tracing import switch
from shared.tracing.context import TraceContext
from shared.tracing.messaging import processing, publishing
from shared.tracing.spans import NO_SPAN, continued, current, exemplar, is_tracing, span
from shared.tracing.switch import tracing

#: FastAPI itself imports OpenTelemetry's interfaces, and switches nothing on with them.
LOADED = """
import sys
import terminal_worker.main, notifier_worker.main
print(*(name for name in sys.modules if name.startswith("opentelemetry")))
import api.main
print(*(name for name in sys.modules if name.startswith("opentelemetry.sdk")))
"""


@pytest.fixture
def collector_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an address at which nobody listens."""
    url = "http://127.0.0.1:9"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    return url


def test_a_process_that_does_not_trace_loads_nothing_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


async def test_without_the_switch_nothing_is_recorded() -> None:
    """The same objects each time, so that a payment makes none for its trace."""
    async with tracing(load_settings(), "api"):
        assert not is_tracing()
        assert span("a") is span("b", "client", {"c": 1})
        assert publishing("payments", "pay_1") is processing("payments", "pay_1", None) is span("a")
        with span("a") as opened, continued(TraceContext("00-a-b-01")):
            assert opened is NO_SPAN
            assert (current(), exemplar()) == (None, None)


async def test_without_the_sdk_the_switch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "shared.tracing.sdk", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(SettingsError, match=r"CLOUD_TERMINAL_TRACING .* install cloud-terminal\[otel\]"):
        async with tracing(load_settings(tracing=True), "api"):
            pytest.fail("it traces")
    assert not is_tracing()


async def test_spans_are_sent_to_the_collector_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By OTLP over HTTP, the last ones at the end, with the process as the service's name."""
    async with receiving() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.rpartition("/")[0])
        async with tracing(load_settings(tracing=True), "notifier-worker"):
            with span("concert session"):
                assert current() is not None
        (sent,) = await collector.heard(1)

    assert sent.path == "/v1/traces"
    assert b"concert session" in sent.body
    assert b"cloud-terminal-notifier-worker" in sent.body
    assert not is_tracing()


async def test_a_collector_that_is_away_delays_no_end(
    collector_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one that hangs: the time for the last spans is limited."""
    monkeypatch.setattr(switch, "CLOSE_SECONDS", 0.1)
    began = time.monotonic()
    async with tracing(load_settings(tracing=True), "api"):
        with span("concert session"):
            assert collector_url

    assert time.monotonic() - began < 5


async def test_the_sampler_of_the_environment_decides_what_is_recorded(
    collector_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trace that is not recorded has a context for others, and neither exemplar nor log field."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    async with tracing(load_settings(tracing=True), "api"):
        with span("concert session"):
            context = current()
            assert context is not None
            assert not int(context.traceparent[-2:], 16) & 1
            assert exemplar() is None
    assert collector_url
