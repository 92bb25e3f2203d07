"""The system of one small shop as real processes, and those around it; SQLite in a folder."""

import contextlib
import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Final

import aio_pika
import httpx

from sandbox.demo.broker_tap import BrokerTap
from sandbox.demo.errors import Unexpected
from sandbox.demo.partners import Partners
from sandbox.demo.processes import (
    Running,
    end_all,
    environment,
    log_lines,
    run_to_end,
    start,
    until,
    until_logged,
)
from sandbox.demo.stored import StoredRows
from sandbox.demo.terminals import demo_terminals
from sandbox.demo.timeline import LineHeld
from sandbox.run.shop import HIPAY_USERNAME, SHOP_NAME, Shop, settings_for
from sandbox.servers.choice import AMQP_VARIABLE
from shared.broker.topology import Topology
from shared.notification.secrets import new_webhook_secret
from shared.security.credentials import CredentialKind, new_secret

API: Final = "API"
WORKERS: Final = ("worker 1", "worker 2")
NOTIFIER: Final = "notifier"
NETWORK: Final = "127.0.0.0/8"
_LOOK_TIMEOUT_SECONDS: Final = 6.0


class System:
    """Starts the processes, knows where they are, ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "cloud-terminal.db"
        self.rows = StoredRows(self.database)
        self.terminals = demo_terminals(folder)
        self.partners = Partners(folder)
        # On a broker that is somebody else's, queues of our own, which go again.
        self._prefix = f"demo-{secrets.token_hex(4)}." if os.environ.get(AMQP_VARIABLE) else ""
        self._api: Running | None = None
        self._workers: list[Running] = []
        self._notifier: Running | None = None
        #: Those that lead to HiPay and the merchant's server.
        self._partner_settings: dict[str, str] = {}
        #: Set once no further command is wanted.
        self.is_broken_off = False
        #: A worker's own id to its name here.
        self.worker_names: dict[str, str] = {}
        #: Where each process listens, and where it is asked how it does.
        self.addresses: dict[str, str] = {}
        self.management: dict[str, str] = {}

    @property
    def parts(self) -> list[Running]:
        """Every process that was started."""
        around = [*(terminal.running for terminal in self.terminals), self.partners.running]
        return [*self._clients, *(part for part in around if part is not None)]

    @property
    def _clients(self) -> list[Running]:
        """The broker's."""
        return [part for part in (self._api, *self._workers, self._notifier) if part is not None]

    @property
    def api_url(self) -> str:
        return f"http://{self.addresses[API]}"

    def migrate(self) -> None:
        """Make the database. Raises Unexpected."""
        self._run("migrate")

    def make_shop(self) -> Shop:
        """Create merchant and credentials by the command line, and HiPay's secrets. Raises Unexpected."""
        merchant = json.loads(self._run("merchant", "create", SHOP_NAME, "--network", NETWORK, "--json"))
        made = json.loads(self._run("credential", "create", merchant["id"], "--json"))
        kind = ("--kind", CredentialKind.GATEWAY.value)
        gateway = json.loads(self._run("credential", "create", *kind, "--json"))
        return Shop(
            merchant_id=merchant["id"],
            username=made["username"],
            password=made["secret"],
            gateway_username=gateway["username"],
            gateway_password=gateway["secret"],
            hipay_username=HIPAY_USERNAME,
            hipay_password=new_secret(os.urandom),
            hipay_signing_secret=new_webhook_secret(os.urandom),
            passphrase=new_secret(os.urandom),
        )

    def _run(self, *arguments: str) -> str:
        if self.is_broken_off:
            raise Unexpected("broken off")
        return run_to_end(arguments, self.folder, self._environment())

    def launch_around(self) -> None:
        """Start what needs neither broker nor database."""
        for terminal in self.terminals:
            terminal.launch()
        self.partners.launch()

    async def launch(self, tap: BrokerTap, shop: Shop) -> None:
        """Start API and workers; each reaches the broker by way of the tap. The database is migrated."""
        await self.partners.wait_listening()
        self._partner_settings = settings_for(
            shop, self.partners.urls["console"], self.partners.urls["merchant"]
        )
        url = await tap.listen(API)
        self._api = start(API, ["api"], self.folder, self._environment(amqp_url=url, api_port=0))
        for name in WORKERS:
            url = await tap.listen(name)
            surroundings = self._environment(amqp_url=url)
            self._workers.append(start(name, ["terminal-worker"], self.folder, surroundings))
        surroundings = self._environment(amqp_url=await tap.listen(NOTIFIER))
        self._notifier = start(NOTIFIER, ["notifier-worker"], self.folder, surroundings)

    def _environment(self, **settings: str | int) -> dict[str, str]:
        return environment(
            self.folder,
            database_url=f"sqlite+aiosqlite:///{self.database}",
            amqp_prefix=self._prefix,
            management_port=0,
            log_format="json",
            **self._partner_settings,
            **settings,
        )

    async def wait_ready(self, shop: Shop) -> None:
        """Return when all of them answer `/readyz` or listen. Raises StartFailed, Unexpected."""
        assert self._api is not None
        serving = await until_logged(self._api, "API is serving")
        self.addresses[API] = f"{serving['host']}:{serving['port']}"
        self.partners.introduce(shop, self.api_url)
        for part in self._clients:
            await self._wait_ready(part)
        for part in self._workers:
            grant = await until_logged(part, "terminal worker is taking payments")
            self.worker_names[str(grant["worker"])] = part.name
        for terminal in self.terminals:
            await terminal.wait_ready()
            self.addresses[terminal.name] = terminal.line
        await self.partners.wait_ready()

    async def _wait_ready(self, part: Running) -> None:
        opened = await until_logged(part, "management port is open")
        address = f"{opened['host']}:{opened['port']}"
        self.management[part.name] = address
        async with httpx.AsyncClient(timeout=_LOOK_TIMEOUT_SECONDS, trust_env=False) as client:

            async def look() -> bool | None:
                with contextlib.suppress(httpx.TransportError):
                    return (await client.get(f"http://{address}/readyz")).is_success or None
                return None

            await until(look, f"{part.name} is ready", part)

    def held_lines(self) -> list[LineHeld]:
        """Return what the workers logged of payments that found their terminal held."""
        return [
            LineHeld(
                at_ms=datetime.fromisoformat(line["time"]).timestamp() * 1000,
                worker=str(line["worker"]),
                payment_id=str(line["payment_id"]),
            )
            for part in self._workers
            for line in log_lines(part, "line is held, the payment waits")
        ]

    def end_clients(self) -> None:
        """End API and workers, which still need the broker for it; return when they are gone."""
        end_all(self._clients)

    def end(self) -> None:
        """End all that still run; return when they are gone."""
        end_all(self.parts)

    async def delete_queues(self, broker_url: str) -> None:
        """Leave nothing behind on a broker that is somebody else's."""
        if not self._prefix:
            return
        topology = Topology(self._prefix, delivery_limit=1)
        # Where the broker is away nothing can be deleted, and what went wrong is reported already.
        with contextlib.suppress(aio_pika.exceptions.AMQPError, OSError):
            async with await aio_pika.connect(broker_url) as connection, connection.channel() as channel:
                for queue in topology.durable_queues:
                    await channel.queue_delete(queue)
