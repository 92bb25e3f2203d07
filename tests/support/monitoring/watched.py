"""A whole installation of real processes that a real Prometheus watches."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from databases import Store
from monitoring.asking import Prometheus
from monitoring.expressions import DEPLOY
from running.fleet import Fleet, Process, fleet_of
from system import System, system_on

from sandbox.servers.private.children import free_ports
from sandbox.servers.private.prometheus import node_metrics, private_prometheus
from sandbox.servers.private.rabbitmq import PrivateRabbitmq, installed_rabbitmq, unpacked_rabbitmq
from sandbox.servers.server import SourceMissing

SECRET_KEY: Final = "a key for tests, 32 characters long"
KINDS: Final = {"api": 1, "terminal-worker": 2, "notifier-worker": 1}


@dataclass
class Watched:
    """The installation, its broker and its Prometheus."""

    system: System
    fleet: Fleet
    rabbitmq: PrivateRabbitmq
    prometheus: Prometheus
    api_url: str
    processes: dict[str, list[Process]] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def watched_installation(store: Store, folder: Path, **given: object) -> AsyncIterator[Watched]:
    """Yield it once every process is ready and every target of Prometheus answers."""
    with contextlib.ExitStack() as programs:
        rabbitmq = _rabbitmq(Path(programs.enter_context(tempfile.TemporaryDirectory())) / "broker")
        programs.callback(rabbitmq.remove)
        rabbitmq.launch()
        await asyncio.to_thread(rabbitmq.wait_ready)
        api_port, *ports = free_ports(1 + sum(KINDS.values()))
        settings = {
            "database_url": store.url,
            "amqp_url": rabbitmq.url,
            "amqp_prefix": "ct.",
            "secret_key": SECRET_KEY,
            "api_port": api_port,
            "notify_allow_http": True,
            "notify_allowed_networks": ("127.0.0.0/8",),
            "log_format": "json",
            **given,
        }
        async with (
            system_on(store.url, rabbitmq.url, "ct.", secret_key=SECRET_KEY) as system,
            fleet_of(settings, folder) as fleet,
        ):
            places: dict[str, list[int]] = {}
            processes: dict[str, list[Process]] = {}
            for kind in [kind for kind, number in KINDS.items() for _ in range(number)]:
                port = ports.pop()
                places.setdefault(kind, []).append(port)
                started = await fleet.start(kind, settings={"CLOUD_TERMINAL_MANAGEMENT_PORT": str(port)})
                processes.setdefault(kind, []).append(started)
            for process in [one for kind in processes.values() for one in kind]:
                await process.ready()
            places["node"] = [programs.enter_context(node_metrics())]
            assert rabbitmq.metrics_port is not None
            places["rabbitmq"] = places["rabbitmq-queues"] = [rabbitmq.metrics_port]
            configuration = folder / "prometheus.yml"
            configuration.write_text(json.dumps(_scraping(places)))
            url = programs.enter_context(private_prometheus(configuration))
            yield Watched(system, fleet, rabbitmq, Prometheus(url), f"http://127.0.0.1:{api_port}", processes)


def _rabbitmq(folder: Path) -> PrivateRabbitmq:
    try:
        programs = installed_rabbitmq()
    except SourceMissing:
        programs = unpacked_rabbitmq()
    return PrivateRabbitmq(programs, folder, with_metrics=True)


def _scraping(places: dict[str, list[int]]) -> dict[str, Any]:
    """Return the configuration of deploy/prometheus for these ports; ten times as often, to see it sooner."""
    shipped = import_module("yaml").safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    jobs = []
    for job in shipped["scrape_configs"]:
        if job["job_name"] not in places:
            continue
        kept = {name: value for name, value in job.items() if not name.endswith("_sd_configs")}
        targets = [f"127.0.0.1:{port}" for port in places[job["job_name"]]]
        jobs.append({**kept, "static_configs": [{"targets": targets}]})
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DEPLOY / "prometheus" / "rules" / "*.yml")],
        "scrape_configs": jobs,
    }
