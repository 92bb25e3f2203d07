"""The examples, each run against the whole sandbox as its first lines say."""

import asyncio
import contextlib
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloud_terminal_client import AsyncCloudTerminal, CloudTerminal
from eventually import eventually
from loopback import terminal_host
from running.fleet import REPOSITORY
from running.whole_sandbox import WholeSandbox, soon

from examples.odoo_pos import OdooTerminal
from examples.pos.paying import UNKNOWN, WAITING, Counter
from examples.pos.sales import Sales
from examples.webhook_receiver import Inbox

PAID, REFUSED = 4200, 4251


def environment_of(sandbox: WholeSandbox, **more: str) -> dict[str, str]:
    entry = sandbox.entry
    return {
        **os.environ,
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY}/clients/python",
        "CT_URL": entry["api"],
        "CT_USERNAME": entry["username"],
        "CT_SECRET": entry["password"],
        "TERMINAL": entry["terminal_id"],
        "NO_PROXY": "*",
        **more,
    }


@pytest.fixture
def mute(sandbox: WholeSandbox) -> Iterator[str]:
    """Register a terminal that takes a request and closes; a doubt does not occupy the sandbox's own."""

    class Closes(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)

    with (
        socketserver.ThreadingTCPServer((terminal_host(), 0), Closes) as server,
        client_of(sandbox) as client,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address[:2]
        terminal_id = f"mute-{port}"
        client.request("PUT", f"/v1/terminals/{terminal_id}", body={"host": str(host), "port": port})
        yield terminal_id
        client.request("POST", f"/v1/terminals/{terminal_id}/disable")
        server.shutdown()


def client_of(sandbox: WholeSandbox) -> CloudTerminal:
    entry = sandbox.entry
    return CloudTerminal(entry["api"], entry["username"], entry["password"], trust_env=False)


def pay_by_shell(
    sandbox: WholeSandbox, order_id: str, amount_cents: int, terminal: str = "counter-1", **more: str
) -> tuple[int, str]:
    """Run the script; return its exit code and what it said."""
    done = subprocess.run(
        [REPOSITORY / "examples/pay.sh", order_id, str(amount_cents), terminal],
        env=environment_of(sandbox, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_shell_script_says_by_its_exit_code_whether_it_was_paid(sandbox: WholeSandbox) -> None:
    """Paid, and paid still when it runs again; refused; another sum of a paid order is no success."""
    order, refused = sandbox.new_order_id(), sandbox.new_order_id()

    assert pay_by_shell(sandbox, order, PAID)[0] == 0
    assert pay_by_shell(sandbox, order, PAID)[0] == 0
    assert pay_by_shell(sandbox, refused, REFUSED)[0] == 1
    code, said = pay_by_shell(sandbox, order, PAID + 100)
    assert (code, "different.order.conflict" in said) == (3, True)
    assert len(sandbox.transactions(order)) <= 1


def test_the_shell_script_calls_a_doubt_a_doubt(sandbox: WholeSandbox, mute: str) -> None:
    """The terminal closed the connection without an answer."""
    code, said = pay_by_shell(sandbox, sandbox.new_order_id(), PAID, mute, LOOKS="2", WAIT="1")

    assert (code, "do not take the money again" in said) == (2, True)


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


class App:
    """An example as a process of its own, under uvicorn."""

    def __init__(self, module: str, environment: dict[str, str]) -> None:
        self._command = [sys.executable, "-m", "uvicorn", f"{module}:from_environment", "--factory"]
        self._environment = environment
        self._host = terminal_host()
        self._port = free_port(self._host)
        self.url = f"http://{self._host}:{self._port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        options = ["--host", self._host, "--port", str(self._port), "--log-level", "warning"]
        process = subprocess.Popen([*self._command, *options], env=self._environment, cwd=REPOSITORY)
        try:
            soon(self._listens, within_seconds=60)
            yield process
        finally:
            process.terminate()
            process.wait(30)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self._host, self._port)) == 0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        with httpx.Client(trust_env=False, timeout=30) as client:
            answer = client.request(method, self.url + path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()


def test_the_cash_register_survives_a_pulled_plug(sandbox: WholeSandbox, tmp_path: Path) -> None:
    """It is killed while the customer pays; started again, it shows the sale as paid, charged once."""
    environment = environment_of(sandbox, SALES_FILE=str(tmp_path / "sales.db"))
    app = App("examples.pos.app", environment)
    sandbox.post("screen", "/settings", {"by_hand": True})
    with app.running() as process:
        sale = app.call("POST", "/sales", {"amount_cents": PAID})["number"]
        soon(lambda: sandbox.get("screen", "/state")["stage"] == "card")
        assert app.call("GET", f"/sales/{sale}")["message"] == WAITING
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    sandbox.post("screen", "/card", {"card": "cb", "mode": "contactless"})

    with app.running():
        ended = soon(lambda: _ended(app, sale))
        sandbox.post("screen", "/settings", {"by_hand": False})
        sandbox.post("screen", "/script", {"next": ["abandoned", "usual"]})
        abandoned = app.call("POST", "/sales", {"amount_cents": PAID})["number"]
        not_paid = soon(lambda: _ended(app, abandoned))
        app.call("POST", f"/sales/{abandoned}/pay")
        again = soon(lambda: _ended(app, abandoned, "paid"))

    assert (ended["state"], bool(ended["receipt"])) == ("paid", True)
    assert (not_paid["state"], again["state"]) == ("not_paid", "paid")


async def test_the_cash_register_keeps_a_doubtful_sale_open(sandbox: WholeSandbox, mute: str) -> None:
    """The cashier reads that nobody knows; the sale is looked at again and again, and stays so."""
    entry, sales = sandbox.entry, Sales(":memory:")
    sale = sales.new(PAID)
    async with AsyncCloudTerminal(entry["api"], entry["username"], entry["password"], trust_env=False) as api:
        counter = Counter(api, sales, mute, wait_seconds=1, pause_seconds=0.01)
        paying = asyncio.create_task(counter.pay(sale))
        await eventually(lambda: sales.get(sale.number).message == UNKNOWN)
        await asyncio.wait({paying}, timeout=1.5)
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)

    assert paying.cancelled()
    assert [one.number for one in sales.unfinished()] == [sale.number]


def _ended(app: App, number: int, *states: str) -> Any:
    sale = app.call("GET", f"/sales/{number}")
    return sale if sale["state"] in (states or ("paid", "not_paid")) else None


def test_the_webhook_receiver_takes_what_the_api_sends_and_nothing_else(
    sandbox: WholeSandbox, tmp_path: Path
) -> None:
    """A registered endpoint is told of a payment; a request without a signature is a 400."""
    inbox = tmp_path / "inbox.db"
    environment = environment_of(sandbox, INBOX_FILE=str(inbox))
    app = App("examples.webhook_receiver", environment)
    url = f"{app.url}/hooks/payments"
    with client_of(sandbox) as client:
        endpoint = client.register_webhook(url, types=["payment.succeeded"], description="example")
        assert endpoint.secret is not None
        environment["WEBHOOK_SECRET"] = endpoint.secret
        with app.running():
            payment = sandbox.paid(PAID, sandbox.new_order_id())
            state = soon(lambda: Inbox(inbox).state(payment["id"]))
            forged = httpx.post(url, json={"type": "payment.succeeded"}, trust_env=False)
        client.request("PATCH", f"/v1/webhooks/endpoints/{endpoint.id}", body={"disabled": True})

    assert (state, forged.status_code) == ("succeeded", 400)


def test_an_odoo_line_is_done_retried_or_waits(sandbox: WholeSandbox, mute: str) -> None:
    """A refusal, then the payment of the same line; a refund; a doubt that waits."""
    line = {"uuid": sandbox.new_order_id(), "amount": PAID / 100}
    sandbox.post("screen", "/script", {"next": ["refused_51", "usual", "usual"]})

    with client_of(sandbox) as client:
        odoo = OdooTerminal(client, sandbox.entry["terminal_id"])
        refused, done = odoo.pay(line), odoo.pay(line)
        back = odoo.pay({"uuid": sandbox.new_order_id(), "amount": -10.0, "refunded_uuid": line["uuid"]})
        doubtful = OdooTerminal(client, mute, wait_seconds=1).pay(
            {"uuid": sandbox.new_order_id(), "amount": 42.0}
        )
        running = odoo.cancel(line)

    assert (refused["status"], done["status"], back["status"]) == ("retry", "done", "done")
    assert (done["amount"], back["amount"]) == (42.0, 10.0)
    assert done["ticket"]
    assert doubtful["status"] == running["status"] == "waitingCard"
