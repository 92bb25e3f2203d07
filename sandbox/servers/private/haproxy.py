"""A private HAProxy with the configuration of deploy/haproxy, in front of processes on loopback."""

import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.servers.external import wait_until
from sandbox.servers.private.cache import cache_folder, complete_folder
from sandbox.servers.private.children import Child, free_ports
from sandbox.servers.private.packages import add_missing_libraries, known_packages, library_path, unpack
from sandbox.servers.server import SourceMissing, say

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
PROGRAM: Final = "usr/sbin/haproxy"
#: The folder of the configuration in the image.
IN_THE_IMAGE: Final = "/usr/local/etc/haproxy"
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class ApiAddress:
    """The place of an API process, which may be empty: its port, and the one that tells its acceptance."""

    port: int
    management_port: int


@contextmanager
def balanced(
    configuration: Path, apis: Sequence[ApiAddress], certificate: Path | None = None
) -> Iterator[str]:
    """Yield the URL of an HAProxy in front of the API's places; https with a certificate.

    `configuration` is the folder with haproxy.cfg. Raises SourceMissing where no HAProxy is found.
    """
    program, libraries = haproxy_program()
    folder = Path(tempfile.mkdtemp(prefix="haproxy-"))
    plain, tls, metrics = free_ports(3)
    shutil.copytree(configuration, folder / "haproxy")
    config = folder / "haproxy" / "haproxy.cfg"
    config.write_text(on_loopback(config.read_text(), folder, apis, {8080: plain, 8443: tls, 8404: metrics}))
    child = Child(
        "haproxy",
        [str(program), "-db", "-f", str(config)],
        environment={
            "PATH": "/usr/bin:/bin",
            "LD_LIBRARY_PATH": libraries,
            **({} if certificate is None else {"CERTIFICATE": str(certificate)}),
        },
        folder=folder,
        log=folder / "haproxy.log",
    )
    try:
        wait_until(lambda: _refusal(plain), child.check_running, READY_SECONDS, "HAProxy")
        yield f"http://{LOOPBACK}:{plain}" if certificate is None else f"https://{LOOPBACK}:{tls}"
    finally:
        child.end(signal.SIGTERM, STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def on_loopback(text: str, folder: Path, apis: Sequence[ApiAddress], ports: dict[int, int]) -> str:
    """Return the image's configuration for loopback: named places instead of DNS, other ports and paths."""
    for port, ours in ports.items():
        text = text.replace(f"bind :{port}", f"bind {LOOPBACK}:{ours}")
    servers = "\n".join(
        f"  server api{number} {LOOPBACK}:{api.port} check port {api.management_port}"
        for number, api in enumerate(apis, start=1)
    )
    text = re.sub(r"^  stats socket .*$", f"  stats socket {folder}/haproxy.sock", text, flags=re.MULTILINE)
    text = re.sub(r"^  server-template .*$", servers, text, flags=re.MULTILINE)
    return text.replace(IN_THE_IMAGE, str(folder / "haproxy"))


def haproxy_program() -> tuple[Path, str]:
    """Return the installed program, else the unpacked one with the path of its libraries; raise SourceMissing
    where there is neither."""
    installed = Path("/") / PROGRAM
    if installed.exists():
        return installed, ""
    folder = complete_folder(cache_folder() / "haproxy", _fill)
    return folder / PROGRAM, library_path(folder)


def _fill(temporary: Path, final: Path) -> None:
    packages = known_packages("haproxy")
    if not packages:
        raise SourceMissing("apt knows no package haproxy")
    say(f"unpacking HAProxy into {final} (5 MB, once) ...")
    unpack(packages, temporary)
    add_missing_libraries(packages, temporary, PROGRAM)


def _refusal(port: int) -> str | None:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError as error:
        return str(error)
    return None
