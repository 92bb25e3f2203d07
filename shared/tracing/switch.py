"""The switch of tracing, for composition roots."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from shared.metrics.metrics import running_version
from shared.settings.fields import variable
from shared.settings.settings import Settings, SettingsError
from shared.tracing.spans import set_tracer

if TYPE_CHECKING:
    from shared.tracing.sdk import SdkTracer

#: Time for the last spans at the end of the process; spans that take longer are lost.
CLOSE_SECONDS: Final = 2.0


@contextlib.asynccontextmanager
async def tracing(settings: Settings, process: str) -> AsyncIterator[None]:
    """Trace while the block runs, where the settings say so. Raises SettingsError without the SDK."""
    if not settings.tracing:
        yield
        return
    try:
        from shared.tracing.sdk import SdkTracer
    except ImportError as error:
        raise SettingsError(
            f"{variable('tracing')} is set, and OpenTelemetry is not installed ({error.name} is missing):"
            " install cloud-terminal[otel]"
        ) from error
    tracer = SdkTracer(process, running_version())
    set_tracer(tracer)
    try:
        yield
    finally:
        set_tracer(None)
        await _close(tracer)


async def _close(tracer: "SdkTracer") -> None:
    """Export the last spans on a thread that ends with the process, whatever the collector does."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        tracer.close()
        # The loop is closed where this took too long.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=close, name="last spans", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await closed.wait()
