"""The previous release's processes on this release's schema, beside this release's processes."""

import asyncio
import contextlib
import json
import secrets
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from eventually import eventually
from limits import SHORT_LIMITS
from loopback import terminal_host
from running.fleet import REPOSITORY, Fleet, environment_of
from running.merchant import PATH
from system import LOOPBACK, Login, Pos, delete_queues, system_on
from wire.webhook_receiver import receiving

from sandbox.terminal.device.device import Device
from sandbox.terminal.server.server import VirtualTerminal
from shared.broker import messages
from shared.security.credentials import new_webhook_secret
from shared.storage.db.schema.migrate import migrate

PREVIOUS: Final = Path(__file__).with_name("previous-release")
KINDS: Final = ("api", "terminal-worker", "notifier-worker")
PAYMENT_ID: Final = "pay_01JZZZZZZZZZZZZZZZZZZZZZZZ"
PROBE_ID: Final = "prb_01JZZZZZZZZZZZZZZZZZZZZZZZ"
#: Prints the bodies of its messages, in a fixed order.
PRINT_BODIES: Final = f"""
from shared.broker import messages as m
for body in (
    m.encode_payment(m.PaymentMessage({PAYMENT_ID!r}, "reply.a1")),
    m.encode_probe(m.ProbeMessage({PROBE_ID!r}, "reply.a1")),
    m.encode_notification(m.NotificationMessage("hipay", "del_1", "hipay")),
):
    print(body.decode())
"""
MIGRATE: Final = "from cli.main import app; app(['db', 'migrate'])"
VERSIONS: Final = "shared/storage/migrations/versions"
PRINT_SETTINGS: Final = "from shared.settings.settings import Settings; print(*Settings.model_fields)"


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the previous release's code, from the clone's own history."""
    [commit] = [line for line in PREVIOUS.read_text().split("\n") if line and not line.startswith("#")]
    done = subprocess.run(["git", "archive", commit], cwd=REPOSITORY, capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stderr.decode()}: the clone needs its history"
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    loaded = run_in(folder, "import shared; print(shared.__file__)").strip()
    assert Path(loaded).is_relative_to(folder), loaded
    return folder


def run_in(folder: Path, program: str, settings: Mapping[str, object] | None = None) -> str:
    """Run a program with a release's modules; return its output."""
    environment = environment_of(settings or {}) | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_release_reads_the_others_messages(previous: Path) -> None:
    """Messages of the one wait in the queues while the processes are replaced."""
    theirs = run_in(previous, PRINT_BODIES).splitlines()
    ours = run_in(REPOSITORY, PRINT_BODIES).splitlines()
    read = f"""
import sys
from shared.broker import messages as m
payment, probe, notification = {ours!r}
assert m.decode_work(payment.encode()) == m.PaymentMessage({PAYMENT_ID!r}, "reply.a1")
assert m.decode_work(probe.encode()) == m.ProbeMessage({PROBE_ID!r}, "reply.a1")
assert m.decode_notification(notification.encode()) == m.NotificationMessage("hipay", "del_1", "hipay")
"""

    delivery = messages.NotificationMessage("hipay", "del_1", "hipay")
    payment, probe, notification = (body.encode() for body in theirs)
    assert messages.decode_work(payment) == messages.PaymentMessage(PAYMENT_ID, "reply.a1")
    assert messages.decode_work(probe) == messages.ProbeMessage(PROBE_ID, "reply.a1")
    assert messages.decode_notification(notification) == delivery
    run_in(previous, read)


@pytest.fixture
async def database_url(previous: Path, empty_postgres_url: str) -> str:
    """Return a database of the previous release on which this release's step before has run.

    While nothing is released, the first migration changes in place: then this release makes it alone.
    """
    theirs = (previous / VERSIONS).glob("[0-9]*.py")
    if all((REPOSITORY / VERSIONS / file.name).read_bytes() == file.read_bytes() for file in theirs):
        run_in(previous, MIGRATE, {"database_url": empty_postgres_url})
    await migrate(empty_postgres_url)
    return empty_postgres_url


@contextlib.asynccontextmanager
async def mixed_fleets(
    settings: Mapping[str, object], previous: Path, folder: Path
) -> AsyncIterator[tuple[Fleet, Fleet]]:
    """Yield fleets of the previous release and of this one; the former knows its own settings only."""
    known = run_in(previous, PRINT_SETTINGS).split()
    theirs = environment_of({name: value for name, value in settings.items() if name in known})
    for name in ("previous", "this"):
        (folder / name).mkdir()
    old = Fleet(theirs | {"PYTHONPATH": str(previous)}, folder / "previous", cwd=previous)
    new = Fleet(environment_of(settings), folder / "this", cwd=REPOSITORY)
    try:
        yield old, new
    finally:
        await asyncio.gather(old.stop(), new.stop())


async def test_each_releases_processes_work_with_the_others(
    database_url: str, amqp_url: str, amqp_prefix: str, previous: Path, tmp_path: Path
) -> None:
    """On the schema after this release's step before: an old API with new workers, and the reverse.

    Each pays, sends an order again, gives it back, probes a terminal and notifies HiPay.
    """
    async with (
        receiving() as hipay,
        system_on(database_url, amqp_url, amqp_prefix) as system,
        VirtualTerminal(terminal_host(), device=Device(request_idle_seconds=0)) as terminal,
        httpx.AsyncClient(timeout=60) as client,
    ):
        settings: dict[str, object] = {
            **SHORT_LIMITS,
            "database_url": database_url,
            "amqp_url": amqp_url,
            "amqp_prefix": amqp_prefix,
            "hipay_url": hipay.url,
            "hipay_signing_secret": new_webhook_secret(secrets.token_bytes),
            "log_format": "json",
        }
        login = await system.login(LOOPBACK)
        async with mixed_fleets(settings, previous, tmp_path) as (old, new):
            for number, (of_api, of_workers) in enumerate(((old, new), (new, old)), start=1):
                api = await of_api.start("api")
                workers = [await of_workers.start(kind) for kind in KINDS[1:]]
                await asyncio.gather(*(one.ready() for one in (api, *workers)))
                url = f"http://127.0.0.1:{(await api.logged('API is serving'))['port']}"

                await sell(client, login, url, terminal)

                await hipay.heard(2 * number, 60)
                codes = await asyncio.gather(*(one.stop(60) for one in (api, *workers)))
                assert codes == [0, 0, 0]
                await eventually(lambda: none_is_open(system))
    await delete_queues(amqp_url, amqp_prefix)


async def sell(client: httpx.AsyncClient, login: Login, url: str, terminal: VirtualTerminal) -> None:
    pos, order_id = Pos(client, login, url), f"order-{secrets.token_hex(4)}"
    paid = (await pos.pay(terminal.host, order_id=order_id)).json()
    again = (await pos.pay(terminal.host, order_id=order_id)).json()
    given_back = (await pos.pay(terminal.host, order_id=order_id, transaction_type="Cancel")).json()
    registered = await client.put(f"{url}{PATH}/counter", json={"host": terminal.host}, headers=login.headers)
    probed = await client.post(f"{url}{PATH}/counter/probe", json={}, headers=login.headers)

    assert paid["paymentStatus"] == "Success", json.dumps(paid)
    assert again["payment"]["id"] == paid["payment"]["id"]
    assert given_back["paymentStatus"] == "Success", json.dumps(given_back)
    assert registered.status_code in {200, 201}, registered.text
    assert probed.status_code == 200, probed.text


async def none_is_open(system: Any) -> bool:
    return {row.state for row in await system.payments()} == {"succeeded"}
