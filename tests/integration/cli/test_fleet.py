"""`workers drain` and `top`: an operator ends a worker, and sees the installation at a glance."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from databases import Store
from running.api_alone import on_sqlite
from running.command import on_machine, over_http
from running.fleet import REPOSITORY
from running.served_api import ServedApi, served_api

from api.operator import fleet_routes
from shared.payment.states import Event
from shared.security.credentials import CredentialKind
from shared.storage.terminals import drains
from shared.storage.terminals.heartbeats import Heartbeats

WORKER = "0123456789abcdef"


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_routes, "_LOOK_AGAIN_SECONDS", 0.01)


@pytest.fixture
def served(store: Store) -> Iterator[ServedApi]:
    with served_api(store) as one:
        yield one


async def with_worker(served: ServedApi, store: Store) -> None:
    """Register a worker whose heart does not beat."""
    heartbeats = await Heartbeats.open(store.url)
    await heartbeats.register(WORKER, "shop-server-1", "1.2.3")
    await heartbeats.close()


def test_a_worker_is_asked_to_drain_by_the_command(served: ServedApi, store: Store) -> None:
    """Over HTTP or on the machine, after a confirmation; the list shows it, the audit trail names who."""
    served.run(with_worker(served, store))
    remote, here = over_http(served, CredentialKind.OPERATOR), on_machine(store)
    drain = ("workers", "drain", WORKER, "--reason", "new machine")

    here.run(*drain, code=1, typed="n\n")
    assert not served.run(drains.is_asked(served.api.database, WORKER))
    assert here.row(*drain, "--yes") == {"id": WORKER, "is_new": True}
    assert remote.row(*drain, "--yes") == {"id": WORKER, "is_new": False}
    assert served.run(drains.is_asked(served.api.database, WORKER))
    (listed,) = remote.rows("workers", "list")
    assert (listed["id"], listed["drains"]) == (WORKER, True)
    shown = here.run("workers", "list").stdout
    assert "drains" in shown
    assert "shop-server-1" in shown
    assert max(map(len, shown.splitlines())) <= 80
    (recorded,) = remote.rows("audit", "--action", "worker_drained")
    assert (recorded["subject"], recorded["reason"]) == (WORKER, "new machine")
    assert "unknown.resource" in remote.run("workers", "drain", "none", *drain[3:], "--yes", code=3).stderr


def test_top_shows_the_installation_at_a_glance(served: ServedApi, store: Store) -> None:
    """In a pipe one look; as JSON one object."""

    async def stored() -> None:
        await with_worker(served, store)
        pos = await served.api.merchant()
        await served.api.in_doubt(pos)
        for number, event in ((10, Event.ANSWERED_DONE), (11, Event.ANSWERED_REFUSED)):
            claimed = await served.api.claim(await pos.order_async(host=f"127.0.0.{number}"))
            await served.api.settle(claimed, event)
        await pos.order_async(host="127.0.0.12")

    served.run(stored())
    remote, here = over_http(served, CredentialKind.OPERATOR), on_machine(store)

    seen = remote.row("top")
    assert (seen["queued"]["count"], seen["in_session"]["count"], seen["in_doubt"]["count"]) == (1, 0, 1)
    assert seen["in_session"]["oldest_seconds"] == 0
    assert seen["busy_terminals"] == {"count": 1, "overdue": 0}
    assert seen["last_minute"] == {"accepted": 4, "succeeded": 1, "failed": 1}
    assert [worker["id"] for worker in seen["workers"]] == [WORKER, "worker-1"]
    shown = here.run("top").stdout
    assert "1 queued" in shown
    assert "4 accepted in the last minute (0.1 a second): 1 succeeded, 1 failed" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


@on_sqlite
def test_top_is_for_operators(served: ServedApi) -> None:
    """A merchant's credential is refused."""

    async def merchant() -> str:
        return str((await served.api.merchant()).merchant_id)

    pos = over_http(served, CredentialKind.PRIVATE, served.run(merchant()))

    assert "forbidden" in pos.run("top", code=4).stderr


@on_sqlite
def test_top_is_live_at_a_terminal_until_ctrl_c(served: ServedApi) -> None:
    """The picture is renewed in place; the command ends clean."""
    remote = over_http(served, CredentialKind.OPERATOR)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "top", "--interval", "0.5"],
        env={**os.environ, **remote.environ, "TERM": "xterm", "COLUMNS": "80"},
        cwd=REPOSITORY,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    shown = b""
    try:
        while shown.count(b"terminals busy") < 3:
            shown += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
        os.close(ours)

    assert (process.returncode, error) == (0, b"")
    assert b"Ctrl-C ends it." in shown
