"""An installation for the sandbox: API and workers are child processes on SQLite, all else is in this one."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aio_pika

from sandbox.main import TERMINAL_ID, TerminalSetup, running_sandbox
from sandbox.processes import API_LINE, OwnProcess
from sandbox.run.places import LOOPBACK, OFFSETS, Places, Ports, open_places
from sandbox.run.shop import Shop, keep_shop, kept_shop, make_shop, settings_for
from shared.broker.topology import Topology
from shared.runtime.clock import SystemClock
from shared.settings.fields import variable
from shared.settings.load import SECRET_FIELDS, load_settings
from shared.settings.settings import Settings
from shared.storage.db.private_files import make_private_folder

#: Our own processes, in the order of their start.
VERBS: Final = ("api", "terminal-worker", "notifier-worker")
WORKER_LINES: Final = {
    "terminal-worker": "terminal worker is taking payments",
    "notifier-worker": "notifier worker is delivering",
}
NETWORKS: Final = ("127.0.0.0/8",)
DATABASE_FILE: Final = "cloud-terminal.db"
#: A first start on a slow machine, which compiles everything.
_START_SECONDS: Final = 120.0
#: What still runs then is cut off: it is a sandbox, and its terminal is gone already.
_END_SECONDS: Final = 5.0
#: Pauses before the notifier's next tries: somebody is watching.
_RETRY_SECONDS: Final = "[1, 2, 5, 10, 30, 60]"

#: Addresses and credentials by name, as text.
Entry = Mapping[str, str]


class Installation:
    """Its files are in `folder`; `api_port` 0 takes a free one.

    migrate: brings the database of the settings to this release's schema.
    """

    def __init__(
        self,
        folder: Path,
        amqp_url: str,
        api_port: int,
        migrate: Callable[[Settings], Awaitable[object]],
    ) -> None:
        self._folder: Final = folder
        self._amqp_url: Final = amqp_url
        self._api_port: Final = api_port
        self._migrate: Final = migrate
        # Queues of our own, which go again: the broker may be somebody else's.
        self._external_prefix: Final = os.environ.get(variable("amqp_prefix"))
        self._prefix: Final = self._external_prefix or f"sandbox-{os.urandom(4).hex()}."

    async def run(self, ports: Ports, setup: TerminalSetup, on_ready: Callable[[Entry], None]) -> int:
        """Run everything until SIGTERM or SIGINT (0), or until one of the children ends (1).

        on_ready: called once all of it works. Raises SettingsError, ProcessFailed, ApiAnswered,
        ShopUnreadable, and whatever migration and storage raise.
        """
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        settings = self._settings()
        make_private_folder(self._folder)
        await self._migrate(load_settings(**settings))
        shop = await self._shop(load_settings(**settings))
        with open_places(LOOPBACK, LOOPBACK, ports) as places:
            settings |= settings_for(shop, places.called_url("console"), places.called_url("merchant"))
            settings["notify_retry_seconds"] = _RETRY_SECONDS
            try:
                async with self._children(settings) as children:
                    return await self._until_over(places, shop, children, setup, on_ready, stopped)
            finally:
                await self._delete_queues()

    def _settings(self) -> dict[str, str]:
        return {
            "database_url": f"sqlite+aiosqlite:///{self._folder.resolve() / DATABASE_FILE}",
            "amqp_url": self._amqp_url,
            "amqp_prefix": self._prefix,
            "api_host": LOOPBACK,
            "api_port": str(self._api_port),
            "management_port": "0",
        }

    async def _shop(self, settings: Settings) -> Shop:
        shop = kept_shop(self._folder)
        if shop is None:
            shop = await make_shop(settings, NETWORKS, clock=SystemClock(), random_bytes=os.urandom)
            keep_shop(shop, self._folder)
        return shop

    @asynccontextmanager
    async def _children(self, settings: Mapping[str, str]) -> AsyncIterator[list[OwnProcess]]:
        environment = {variable(name): value for name, value in settings.items()}
        # What the caller gave as a file would contradict what is set here.
        environment |= {f"{variable(name)}_FILE": "" for name in SECRET_FIELDS if name in settings}
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            # Three processes would each compile everything: they share it.
            environment |= {
                "PYTHONDONTWRITEBYTECODE": "",
                "PYTHONPYCACHEPREFIX": str(self._folder.resolve() / "bytecode"),
            }
        children: list[OwnProcess] = []
        try:
            for verb in VERBS:
                log = self._folder / f"{verb}.log"
                children.append(await OwnProcess.start(verb, environment=environment, log=log))
            yield children
        finally:
            await asyncio.gather(*(child.stop(_END_SECONDS) for child in children))

    async def _until_over(
        self,
        places: Places,
        shop: Shop,
        children: list[OwnProcess],
        setup: TerminalSetup,
        on_ready: Callable[[Entry], None],
        stopped: asyncio.Event,
    ) -> int:
        serving = asyncio.create_task(self._serve(places, shop, children, setup, on_ready, stopped))
        ends = [asyncio.create_task(child.wait()) for child in children]
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait([serving, stopping, *ends], return_when=asyncio.FIRST_COMPLETED)
        was_asked = stopped.is_set()
        stopping.cancel()
        try:
            if serving.done() or was_asked:
                stopped.set()
                await self._ended(serving)
            else:
                # A child has ended: where it ended before it was ready, the one who waits for it says why.
                await asyncio.wait([serving], timeout=_END_SECONDS / 5)
                stopped.set()
                await self._ended(serving)
        finally:
            for end in ends:
                end.cancel()
        return 0 if was_asked else 1

    async def _ended(self, serving: "asyncio.Task[None]") -> None:
        done, _ = await asyncio.wait([serving], timeout=_END_SECONDS)
        if not done:
            serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    async def _serve(
        self,
        places: Places,
        shop: Shop,
        children: list[OwnProcess],
        setup: TerminalSetup,
        on_ready: Callable[[Entry], None],
        stopped: asyncio.Event,
    ) -> None:
        api, *workers = children
        port = (await api.line(API_LINE, within_seconds=_START_SECONDS))["port"]
        api_url = f"http://{LOOPBACK}:{port}"
        async with running_sandbox(places, shop, api_url, setup) as terminal:
            for worker in workers:
                await worker.line(WORKER_LINES[worker.name], within_seconds=_START_SECONDS)
            entry = entry_of(places, shop, api_url, terminal.address)
            on_ready(entry)
            await stopped.wait()

    async def _delete_queues(self) -> None:
        if self._external_prefix:
            return
        topology = Topology(self._prefix, delivery_limit=1)
        # Where the broker is away nothing can be deleted, and a private one goes anyway.
        with contextlib.suppress(aio_pika.exceptions.AMQPError, OSError):
            async with await aio_pika.connect(self._amqp_url) as connection, connection.channel() as channel:
                for queue in topology.durable_queues:
                    await channel.queue_delete(queue)


def entry_of(places: Places, shop: Shop, api_url: str, terminal_address: str) -> dict[str, str]:
    """Return where everything is and who may ask, for people and for CI."""
    return {
        "api": api_url,
        "terminal": terminal_address,
        **{system: places.url(system) for system in OFFSETS},
        "terminal_id": TERMINAL_ID,
        "merchant_id": shop.merchant_id,
        "username": shop.username,
        "password": shop.password,
        "gateway_username": shop.gateway_username,
        "gateway_password": shop.gateway_password,
        "passphrase": shop.passphrase,
    }


def entry_line(entry: Entry) -> str:
    """Return it as one line of JSON."""
    return json.dumps(dict(entry))
