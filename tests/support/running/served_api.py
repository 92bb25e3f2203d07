"""API on a socket, on a thread and an event loop of its own."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from databases import Store
from running.api_alone import ApiAlone, api_alone

from api.http.server.connections import http_options
from shared.metrics.metrics import Metrics
from shared.runtime.serving import listen, port_of, serving

Result = TypeVar("Result")


@dataclass
class LoopTimes:
    """Processor time of the event loop's thread by turn."""

    seconds: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0.001)
            self.seconds.append(time.thread_time() - begun)

    def worst(self) -> float:
        """Return the longest turn since the last call."""
        found, self.seconds = max(self.seconds, default=0.0), []
        return found


@dataclass
class ServedApi:
    """API, its port, and its event loop."""

    api: ApiAlone
    port: int
    loop: asyncio.AbstractEventLoop
    times: LoopTimes

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the API's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=60)


@contextlib.contextmanager
def served_api(store: Store, **given: Any) -> Iterator[ServedApi]:
    """Serve on a migrated store; `given` are settings."""
    is_up, ended = threading.Event(), asyncio.Event()
    served: list[ServedApi] = []

    async def serve() -> None:
        async with _on_a_socket(store, given) as (api, port):
            times = LoopTimes()
            watching = asyncio.create_task(times.watch())
            served.append(ServedApi(api, port, asyncio.get_running_loop(), times))
            is_up.set()
            await ended.wait()
            watching.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="served api")
    thread.start()
    assert is_up.wait(timeout=60)
    (one,) = served
    try:
        yield one
    finally:
        one.loop.call_soon_threadsafe(ended.set)
        thread.join(timeout=60)


@contextlib.asynccontextmanager
async def _on_a_socket(store: Store, given: dict[str, Any]) -> AsyncIterator[tuple[ApiAlone, int]]:
    async with api_alone(store, **given) as api:
        listening = listen("127.0.0.1", 0, setting="PORT")
        async with serving(api.app, listening, drain_seconds=1, **http_options(api.settings, Metrics("api"))):
            yield api, port_of(listening)
