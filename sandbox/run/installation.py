"""Installation of the product for the sandbox: API and workers as child processes on SQLite."""

import contextlib
import json
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aio_pika

from sandbox.main import TerminalSetup, running_sandbox, terminal_id
from sandbox.run.places import LOOPBACK, Places, Ports, open_places
from sandbox.run.shop import Shop, keep_shop, kept_shop, make_shop, settings_for
from sandbox.terminal.server.server import VirtualTerminal
from sandbox.tracing.trace import Trace
from shared.broker.topology import Topology
from shared.runtime.clock import SystemClock
from shared.runtime.processes import API_LINE, Fleet, Process, stop_at_signals
from shared.settings.fields import variable
from shared.settings.load import SECRET_FIELDS, load_settings
from shared.settings.settings import Settings
from shared.storage.db.connections.private_files import make_private_folder
from shared.storage.db.schema.migrate import migrate_database

TERMINAL_WORKER: Final = "terminal-worker"
NOTIFIER_WORKER: Final = "notifier-worker"
WORKER_LINES: Final = {
    TERMINAL_WORKER: "terminal worker is taking payments",
    NOTIFIER_WORKER: "notifier worker is delivering",
}
NETWORKS: Final = ("127.0.0.0/8",)
DATABASE_FILE: Final = "cloud-terminal.db"
#: A first start on a slow machine, which compiles everything.
_START_SECONDS: Final = 120.0
#: Work that still runs then is cancelled: the terminal has stopped already.
_END_SECONDS: Final = 5.0
#: Pauses before the notifier's next attempts: shorter than in production, for people who watch.
_RETRY_SECONDS: Final = "[1, 2, 5, 10, 30, 60]"

#: Addresses and credentials by name, as text.
Entry = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Running:
    """The running installation."""

    entry: Entry
    #: The first one.
    terminal: VirtualTerminal
    trace: Trace
    #: By the id that payments' histories name.
    terminal_workers: Mapping[str, Process]
    database: Path


class Installation:
    """API, terminal worker and notifier worker with their files in `folder`; `api_port` 0: a free one.

    settings: further settings of API and workers, by field name.
    """

    def __init__(
        self,
        folder: Path,
        amqp_url: str,
        api_port: int,
        *,
        terminal_worker_count: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._folder: Final = folder
        self._amqp_url: Final = amqp_url
        self._api_port: Final = api_port
        self._terminal_worker_count: Final = terminal_worker_count
        self._more_settings: Final = settings or {}
        # Queues under a prefix of their own are deleted at the end: the broker may be shared.
        self._external_prefix: Final = os.environ.get(variable("amqp_prefix"))
        self._prefix: Final = self._external_prefix or f"sandbox-{os.urandom(4).hex()}."

    async def run(
        self, ports: Ports, setup: TerminalSetup, use: Callable[[Running], Coroutine[Any, Any, None]]
    ) -> None:
        """Start everything, run `use` once all of it works, and end everything.

        SIGTERM and SIGINT end it, too. Raises SettingsError, ProcessFailed (where a child ends by itself),
        ApiAnswered, ShopUnreadable, and whatever `use`, migration and storage raise.
        """
        stopped = stop_at_signals()
        settings = self._settings()
        make_private_folder(self._folder)
        await migrate_database(load_settings(**settings))
        shop = await self._shop(load_settings(**settings))
        with open_places(LOOPBACK, LOOPBACK, ports) as places:
            settings |= settings_for(shop, places.called_url("console"), places.called_url("merchant"))
            settings["notify_retry_seconds"] = _RETRY_SECONDS
            fleet = Fleet(self._environment(settings), self._folder)
            try:
                ended = await fleet.supervise(stopped, self._serve(places, shop, fleet, setup, use))
            finally:
                await fleet.stop(_END_SECONDS)
                await self._delete_queues()
        if ended is not None:
            raise ended.failure()

    def _settings(self) -> dict[str, str]:
        return {
            "database_url": f"sqlite+aiosqlite:///{self._folder.resolve() / DATABASE_FILE}",
            "amqp_url": self._amqp_url,
            "amqp_prefix": self._prefix,
            "api_host": LOOPBACK,
            "api_port": str(self._api_port),
            "management_port": "0",
            "api_unready_seconds": "0",
            **self._more_settings,
        }

    async def _shop(self, settings: Settings) -> Shop:
        shop = kept_shop(self._folder)
        if shop is None:
            shop = await make_shop(settings, NETWORKS, clock=SystemClock(), random_bytes=os.urandom)
            keep_shop(shop, self._folder)
        return shop

    def _environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        environment = {variable(name): value for name, value in settings.items()}
        # A secret given as a file would contradict the one set here.
        environment |= {f"{variable(name)}_FILE": "" for name in SECRET_FIELDS if name in settings}
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            # The processes share compiled modules instead of compiling all of them each.
            environment |= {
                "PYTHONDONTWRITEBYTECODE": "",
                "PYTHONPYCACHEPREFIX": str(self._folder.resolve() / "bytecode"),
            }
        return environment

    async def _serve(
        self,
        places: Places,
        shop: Shop,
        fleet: Fleet,
        setup: TerminalSetup,
        use: Callable[[Running], Coroutine[Any, Any, None]],
    ) -> None:
        api = await fleet.start("api")
        workers = [await fleet.start(TERMINAL_WORKER) for _ in range(self._terminal_worker_count)]
        notifier = await fleet.start(NOTIFIER_WORKER)
        port = (await api.logged(API_LINE, within_seconds=_START_SECONDS))["port"]
        api_url = f"http://{LOOPBACK}:{port}"
        trace = Trace(SystemClock())
        async with running_sandbox(places, shop, api_url, setup, trace=trace) as terminals:
            by_id = {str((await _ready(worker, TERMINAL_WORKER))["worker"]): worker for worker in workers}
            await _ready(notifier, NOTIFIER_WORKER)
            entry = entry_of(places, shop, api_url, [terminal.address for terminal in terminals])
            await use(Running(entry, terminals[0], trace, by_id, self._folder.resolve() / DATABASE_FILE))

    async def _delete_queues(self) -> None:
        if self._external_prefix:
            return
        topology = Topology(self._prefix, delivery_limit=1)
        # An unreachable broker keeps its queues; a private broker is removed with them.
        with contextlib.suppress(aio_pika.exceptions.AMQPError, OSError):
            async with await aio_pika.connect(self._amqp_url) as connection, connection.channel() as channel:
                for queue in topology.durable_queues:
                    await channel.queue_delete(queue)


async def _ready(worker: Process, verb: str) -> dict[str, Any]:
    return await worker.logged(WORKER_LINES[verb], within_seconds=_START_SECONDS)


def entry_of(places: Places, shop: Shop, api_url: str, terminal_addresses: Sequence[str]) -> dict[str, str]:
    """Return all addresses and credentials by name; those of the second terminal end in `_2`."""
    return {
        "api": api_url,
        "terminal": terminal_addresses[0],
        **{system: places.url(system) for system in places.sockets},
        "terminal_id": terminal_id(0),
        **{
            f"{name}_{place + 1}": value
            for place, address in enumerate(terminal_addresses)
            if place
            for name, value in (("terminal", address), ("terminal_id", terminal_id(place)))
        },
        "merchant_id": shop.merchant_id,
        "username": shop.username,
        "password": shop.password,
        "gateway_username": shop.gateway_username,
        "gateway_password": shop.gateway_password,
        "passphrase": shop.passphrase,
    }


def entry_line(entry: Entry) -> str:
    """Return addresses and credentials as one line of JSON."""
    return json.dumps(dict(entry))
