"""Server process as a child that ends with its parent, and free ports for it."""

import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from sandbox.servers.server import PortTaken, SourceMissing, StartFailed

LOWEST_PORT = 15_000  # above the well-known servers a developer's machine may start later


def free_ports(count: int) -> list[int]:
    """Return that many different ports that nobody listens on at 127.0.0.1.

    They lie below the kernel's ephemeral range, so no client gets one as its source port meanwhile. Another
    process may still take one before the server listens, so callers retry on `PortTaken`.
    """
    candidates = list(range(LOWEST_PORT, _first_ephemeral_port()))
    random.shuffle(candidates)
    chosen = list(itertools.islice(filter(_is_free, candidates), count))
    if len(chosen) < count:
        raise StartFailed(f"no {count} free ports from {LOWEST_PORT} on at 127.0.0.1")
    return chosen


def _first_ephemeral_port() -> int:
    setting = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(setting.read_text().split()[0]) if setting.exists() else 0
    # Where nearly all ports are ephemeral there is no room below them, and a collision is possible.
    return first if first > LOWEST_PORT + 1_000 else 32_768


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


LOG_TAIL_CHARACTERS = 2_000
POLL_SECONDS = 0.05  # a server process gives no notice when it is ready or gone
PORT_TAKEN_MARKS = ("eaddrinuse", "dist_port_already_used", "address already in use")


@dataclass(frozen=True)
class Account:
    """The user of a child whose parent is root."""

    name: str
    user_id: int
    group_id: int


def unprivileged_account() -> Account | None:
    """Return the account of a server that refuses to run as root; None where this process is not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return Account(name, known[name].pw_uid, known[name].pw_gid)
    raise SourceMissing("this server refuses to run as root, and there is no user postgres or nobody")


class Child:
    """One running server process.

    The kernel sends it `death_signal` when the *thread* that started it ends (`setpriv --pdeathsig`), so it
    is started from the main thread of a process that does nothing else (owner.py).
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        environment: dict[str, str],
        folder: Path,
        log: Path,
        death_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
    ) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [_setpriv(), "--pdeathsig", death_signal.name.removeprefix("SIG"), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
                user=account.user_id if account else None,
                group=account.group_id if account else None,
                extra_groups=[] if account else None,
            )

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def check_running(self) -> None:
        """Raise StartFailed, or PortTaken when its log says so, if the process has ended."""
        if not self.has_ended:
            return
        written = self._log.read_text(errors="replace").strip() or "(it wrote nothing)"
        failure = PortTaken if any(mark in written.lower() for mark in PORT_TAKEN_MARKS) else StartFailed
        raise failure(
            f"{self.name} ended with status {self._process.returncode}:\n{written[-LOG_TAIL_CHARACTERS:]}"
        )

    def end(self, with_signal: signal.Signals, within_seconds: float) -> None:
        """Ask the process to end and wait; kill it and its children if it does not."""
        if not self.has_ended:
            self._process.send_signal(with_signal)
            try:
                self._process.wait(within_seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL the process and everything below it; return when all of them are gone."""
        if self.has_ended:
            return
        family = [self._process.pid, *_descendants(self._process.pid)]
        for pid in family:
            _kill(pid)
        self._process.wait()
        while any(_is_alive(pid) for pid in family):
            time.sleep(POLL_SECONDS)


def _setpriv() -> str:
    found = shutil.which("setpriv")
    if found is None:
        raise SourceMissing("the command setpriv (package util-linux) is missing: apt-get install util-linux")
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended meanwhile


def _descendants(of: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (status := _state_and_parent(int(entry.name))):
            parents[int(entry.name)] = status[1]
    found: list[int] = []
    generation = [of]
    while generation:
        generation = [pid for pid, parent in parents.items() if parent in generation]
        found += generation
    return found


def _is_alive(pid: int) -> bool:
    status = _state_and_parent(pid)
    # A zombie holds no file and no port; it waits for an init that may be slow to collect it.
    return status is not None and status[0] != "Z"


def _state_and_parent(pid: int) -> tuple[str, int] | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])
