"""A private PostgreSQL: one child, a temporary data folder, TCP on loopback only."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.servers.external import postgres_refusal
from sandbox.servers.private.cache import cache_folder, complete_folder
from sandbox.servers.private.children import Account, Child, free_ports, unprivileged_account
from sandbox.servers.private.packages import add_missing_libraries, known_packages, library_path, unpack
from sandbox.servers.private.server import PrivateServer
from sandbox.servers.server import SourceMissing, StartFailed, say

OWNER = "ct"
OLDEST_VERSION = 15


@dataclass(frozen=True)
class PostgresPrograms:
    """Programs of a PostgreSQL, with their source."""

    origin: str
    commands: Path
    """The folder with `initdb` and `postgres`."""
    libraries: str = ""
    """LD_LIBRARY_PATH, or empty."""
    tree: Path | None = None
    """The folder to copy where the server's account cannot enter it; None for an installed one."""


class PrivatePostgres(PrivateServer):
    """A private server whose owner `ct` needs no password; confirmed data is on the disk (fsync).

    With `certificate`, a file with key and certificate, connections may be encrypted. `settings` are further
    ones of postgresql.conf.
    """

    title = "PostgreSQL"
    ready_seconds = 120.0
    #: 'Fast': connections are closed, not waited for.
    stop_signal = signal.SIGINT

    def __init__(
        self,
        programs: PostgresPrograms,
        folder: Path,
        *,
        certificate: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(programs.origin, folder)
        self._account = unprivileged_account()
        self._programs = programs
        self._certificate = certificate
        self._settings = settings or {}
        [self._port] = free_ports(1)

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://{OWNER}@127.0.0.1:{self._port}/postgres"

    def launch(self) -> None:
        if not self._folder.exists():
            self._make_folder()
            self._programs = _within_reach(self._programs, self._folder, self._account)
            self._make_cluster()
        self._start()

    def remove(self) -> None:
        """End the server in order, since a killed one leaves shared memory behind, and delete its data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _refusal(self) -> str | None:
        # Another server may listen on the port; only this one writes this file.
        status = self._folder / "data" / "postmaster.pid"
        if not status.exists() or not status.read_text().rstrip().endswith("ready"):
            return "it is starting"
        return postgres_refusal(self.url)

    def _start_elsewhere(self) -> None:
        [self._port] = free_ports(1)
        self._start()

    def _start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",  # a socket's path may have 107 bytes only, temporary folders more
            "fsync": "on",
            "synchronous_commit": "on",
            "max_connections": "300",
            "jit": "off",
            **self._tls(),
            **self._settings,
        }
        command = [str(self._programs.commands / "postgres"), "-D", str(self._folder / "data")]
        command += ["-p", str(self._port)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = Child(
            "postgres",
            command,
            environment=_environment(self._programs),
            folder=self._folder,
            log=self._folder / "postgres.log",
            death_signal=self.stop_signal,
            account=self._account,
        )

    def _tls(self) -> dict[str, str]:
        """Return the settings for the certificate, as a copy that belongs to the server's account."""
        if self._certificate is None:
            return {}
        copy = self._folder / "server.pem"
        copy.write_bytes(self._certificate.read_bytes())
        copy.chmod(0o600)
        if self._account is not None:
            os.chown(copy, self._account.user_id, self._account.group_id)
        return {"ssl": "on", "ssl_cert_file": str(copy), "ssl_key_file": str(copy)}

    def _make_folder(self) -> None:
        self._folder.mkdir()
        if self._account is not None:
            os.chown(self._folder, self._account.user_id, self._account.group_id)

    def _make_cluster(self) -> None:
        initdb = [str(self._programs.commands / "initdb"), "-D", str(self._folder / "data"), "-U", OWNER]
        options = ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        finished = _run_as(self._account, [*initdb, *options], self._folder, _environment(self._programs))
        if finished.returncode != 0:
            raise StartFailed(f"initdb ended with status {finished.returncode}:\n{finished.stdout.strip()}")


def installed_postgres() -> PostgresPrograms:
    """Return the newest installed PostgreSQL; raise SourceMissing when there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    on_path = shutil.which("initdb")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return PostgresPrograms("installed", folder)
    raise SourceMissing("PostgreSQL is not installed (apt-get install postgresql would do)")


def unpacked_postgres() -> PostgresPrograms:
    """Return a PostgreSQL unpacked from Debian packages, fetched if need be; raise SourceMissing."""
    folder = complete_folder(cache_folder() / "postgresql", _fill)
    [commands] = folder.glob("usr/lib/postgresql/*/bin")
    return PostgresPrograms("unpacked from Debian packages", commands, library_path(folder), folder)


def _fill(temporary: Path, final: Path) -> None:
    versions = [int(name.rpartition("-")[2]) for name in known_packages("postgresql-[0-9]+")]
    if not versions or max(versions) < OLDEST_VERSION:
        raise SourceMissing(f"apt knows no package postgresql-{OLDEST_VERSION} or newer")
    newest = max(versions)
    packages = [f"postgresql-{newest}", f"postgresql-client-{newest}", "libpq5"]
    say(f"unpacking PostgreSQL {newest} into {final} (66 MB, once) ...")
    unpack(packages, temporary)
    add_missing_libraries(packages, temporary, f"usr/lib/postgresql/{newest}/bin/*")


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _environment(programs: PostgresPrograms) -> dict[str, str]:
    environment = {"PATH": f"{programs.commands}:/usr/bin:/bin", "LANG": "C.UTF-8", "LC_MESSAGES": "C"}
    if programs.libraries:
        environment["LD_LIBRARY_PATH"] = programs.libraries
    return environment


def _within_reach(programs: PostgresPrograms, folder: Path, account: Account | None) -> PostgresPrograms:
    """Return programs that the account can execute: a copy where only root can enter their folder."""
    if account is None or programs.tree is None:
        return programs
    if _can_enter(account, programs.commands):
        return programs
    copy = folder / "programs"
    shutil.copytree(programs.tree, copy, symlinks=True)
    commands = copy / programs.commands.relative_to(programs.tree)
    return replace(programs, commands=commands, libraries=library_path(copy))


def _can_enter(account: Account, folder: Path) -> bool:
    return (
        _run_as(account, ["test", "-x", str(folder / "postgres")], Path("/"), dict(os.environ)).returncode
        == 0
    )


def _run_as(
    account: Account | None, command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        user=account.user_id if account else None,
        group=account.group_id if account else None,
        extra_groups=[] if account else None,
    )
