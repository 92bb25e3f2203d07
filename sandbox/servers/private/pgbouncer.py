"""A private PgBouncer in transaction mode, in front of a PostgreSQL, unpacked from Debian packages."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from sandbox.servers.external import postgres_refusal, wait_until
from sandbox.servers.private.cache import cache_folder, complete_folder
from sandbox.servers.private.children import Child, free_ports, unprivileged_account
from sandbox.servers.private.packages import add_missing_libraries, known_packages, library_path, unpack
from sandbox.servers.server import SourceMissing, say

READY_SECONDS = 30.0
STOP_SECONDS = 5.0
PROGRAM = "usr/sbin/pgbouncer"


@contextmanager
def pooled(postgres_url: str, *, pool_size: int = 4, options: str = "") -> Iterator[str]:
    """Yield a SQLAlchemy URL of the same database through a pool of server connections.

    A client has a server connection for one transaction only. options: further lines of PgBouncer's settings.
    Raises SourceMissing where no PgBouncer is found.
    """
    programs = complete_folder(cache_folder() / "pgbouncer", _fill)
    folder, account = Path(tempfile.mkdtemp(prefix="pgbouncer-")), unprivileged_account()
    [port] = free_ports(1)
    server = make_url(postgres_url)
    # A copy: the account may not enter the cache.
    shutil.copytree(programs, folder / "programs", symlinks=True)
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={server.host} port={server.port} user={server.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {pool_size}\nmax_client_conn = 500\n"
        f"unix_socket_dir =\n{options}\n"
    )
    for path in (folder, *folder.rglob("*")):
        if account is not None:
            os.chown(path, account.user_id, account.group_id, follow_symlinks=False)
    child = Child(
        "pgbouncer",
        [str(folder / "programs" / PROGRAM), str(folder / "pgbouncer.ini")],
        environment={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": library_path(folder / "programs")},
        folder=folder,
        log=folder / "pgbouncer.log",
        account=account,
    )
    url = server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    try:
        wait_until(lambda: postgres_refusal(url), child.check_running, READY_SECONDS, "PgBouncer")
        yield url
    finally:
        child.end(signal.SIGTERM, STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _fill(temporary: Path, final: Path) -> None:
    packages = known_packages("pgbouncer")
    if not packages:
        raise SourceMissing("apt knows no package pgbouncer")
    say(f"unpacking PgBouncer into {final} (3 MB, once) ...")
    unpack(packages, temporary)
    add_missing_libraries(packages, temporary, PROGRAM)
