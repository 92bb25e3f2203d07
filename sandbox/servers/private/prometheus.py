"""A private Prometheus and its promtool, unpacked from the Debian package where none is installed."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from sandbox.servers.external import wait_until
from sandbox.servers.private.cache import cache_folder, complete_folder
from sandbox.servers.private.children import Child, free_ports
from sandbox.servers.private.packages import known_packages, unpack
from sandbox.servers.server import SourceMissing, say

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class PrometheusPrograms:
    """The server and its tool."""

    server: Path
    tool: Path


@contextmanager
def node_metrics() -> Iterator[int]:
    """Yield the port of a node exporter: disk, memory and processor of this machine.

    Raises SourceMissing where none is found.
    """
    program = shutil.which("prometheus-node-exporter") or str(
        complete_folder(cache_folder() / "node-exporter", _fill_node_exporter)
        / "usr/bin/prometheus-node-exporter"
    )
    folder = Path(tempfile.mkdtemp(prefix="node-exporter-"))
    [port] = free_ports(1)
    child = Child(
        "node-exporter",
        [program, f"--web.listen-address={LOOPBACK}:{port}", "--log.level=warn"],
        environment={"PATH": "/usr/bin:/bin"},
        folder=folder,
        log=folder / "node-exporter.log",
    )
    try:
        yield port
    finally:
        child.end(signal.SIGTERM, STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_prometheus(configuration: Path) -> Iterator[str]:
    """Yield the URL of a Prometheus with this configuration file; its data is deleted at the end.

    Raises SourceMissing where no Prometheus is found.
    """
    programs = prometheus_programs()
    folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
    [port] = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    child = Child(
        "prometheus",
        [
            str(programs.server),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
        ],
        environment={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        folder=folder,
        log=folder / "prometheus.log",
    )
    try:
        wait_until(lambda: _refusal(url), child.check_running, READY_SECONDS, "Prometheus")
        yield url
    finally:
        child.end(signal.SIGTERM, STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def prometheus_programs() -> PrometheusPrograms:
    """Return the installed programs, else the unpacked ones; raise SourceMissing where there are neither."""
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server is not None and tool is not None:
        return PrometheusPrograms(Path(server), Path(tool))
    folder = complete_folder(cache_folder() / "prometheus", _fill)
    return PrometheusPrograms(folder / "usr/bin/prometheus", folder / "usr/bin/promtool")


def _fill(temporary: Path, final: Path) -> None:
    _unpack_only("prometheus", temporary, final)


def _fill_node_exporter(temporary: Path, final: Path) -> None:
    _unpack_only("prometheus-node-exporter", temporary, final)


def _unpack_only(package: str, temporary: Path, final: Path) -> None:
    """Unpack a package whose program needs no library beside the system's."""
    packages = known_packages(package)
    if not packages:
        raise SourceMissing(f"apt knows no package {package}")
    say(f"unpacking {package} into {final} (once) ...")
    unpack(packages, temporary)


def _refusal(url: str) -> str | None:
    try:
        return None if httpx.get(f"{url}/-/ready", timeout=5).is_success else "it is not ready"
    except httpx.HTTPError as error:
        return str(error)
