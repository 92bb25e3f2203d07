"""`cloud-terminal sandbox` as a process of its own, and requests to its systems."""

import contextlib
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from limits import SHORT_LIMITS
from running.fleet import REPOSITORY, environment_of

from sandbox.run.installation import DATABASE_FILE

Json = dict[str, Any]

#: Their state is forgotten at `POST /reset`.
SYSTEMS: Final = ("screen", "register", "console", "merchant", "preludd", "nepting", "acquirer", "issuer")
_START_SECONDS: Final = 120.0
#: No request is sent on an idle connection that the server may be closing: it does after 5 s.
_LIMITS: Final = httpx.Limits(keepalive_expiry=2.0)
#: For tests in which a browser is at the terminal: a payment may wait for it, however slow the machine is.
_PATIENT_LIMITS: Final[dict[str, object]] = {
    "queue_deadline_seconds": 45,
    "answer_timeout_seconds": 45,
    "terminal_own_time_seconds": 45,
    "caller_wait_seconds": 120,
    "worker_drain_seconds": 60,
    "worker_stop_grace_seconds": 70,
    "api_drain_seconds": 130,
    "api_stop_grace_seconds": 140,
}


class WholeSandbox:
    """The running sandbox: `entry` has its addresses and credentials."""

    def __init__(
        self, entry: Mapping[str, str], process: "subprocess.Popen[str]", client: httpx.Client, database: Path
    ) -> None:
        self.entry: Final = dict(entry)
        self._process: Final = process
        self._client: Final = client
        self._database: Final = database
        self._numbers: Final = itertools.count(1)

    def get(self, system: str, path: str, **query: str) -> Any:
        answer = self._client.get(self.entry[system] + path, params=query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def front_page(self, system: str) -> str:
        """Return the first page of a system, as a browser gets it."""
        answer = self._client.get(self.entry[system] + "/", headers={"accept": "text/html"})
        assert answer.status_code == 200, answer.text
        return answer.text.lower()

    def post(self, system: str, path: str, body: Any = None) -> Any:
        answer = self._client.post(self.entry[system] + path, json=body)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def reset(self) -> None:
        """Forget the state of all systems; what the API has stored stays."""
        for system in SYSTEMS:
            self.post(system, "/reset")
        self.post("screen", "/settings", {"delay_seconds": 0, "by_hand": False})

    def new_order_id(self) -> str:
        return f"E2E-{os.getpid()}-{time.time_ns()}-{next(self._numbers)}"

    def pay(
        self,
        amount_cents: int,
        order_id: str | None = None,
        transaction_type: str = "Debit",
        *,
        force_authorization: bool = False,
        **order: Any,
    ) -> httpx.Response:
        """Send an order as a cash register does and wait for its answer."""
        body = {
            "order": {
                "order_id": order_id or self.new_order_id(),
                "transaction_type": transaction_type,
                "price": {"amount": amount_cents, "currency": "EUR"},
                **order,
            },
            "pos_technical_info": {
                "terminal_id": self.entry["terminal_id"],
                "terminal_transaction_display": {
                    "protocol": "ConcertV3.2",
                    "force_authorization": force_authorization,
                    "contract_array": [],
                },
            },
        }
        return self._client.post(f"{self.entry['api']}/v1/connector/order", json=body, auth=self._auth)

    def paid(self, amount_cents: int, order_id: str, *more: str, **options: Any) -> Json:
        """Pay and return the payment object of the success."""
        answer = self.pay(amount_cents, order_id, *more, **options)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        assert body["paymentStatus"] == "Success", body
        payment: Json = body["payment"]
        return payment

    def payment(self, payment_id: str, *, wait_seconds: int = 0) -> Json:
        """Return a payment as the API knows it, once it is settled or the time is over."""
        answer = self._client.get(
            f"{self.entry['api']}/v1/payments/{payment_id}", params={"wait": wait_seconds}, auth=self._auth
        )
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()["payment"]
        return found

    def press(self, path: str, **form: str) -> httpx.Response:
        """Submit a form of the cash register's page."""
        return self._client.post(self.entry["register"] + path, data=form)

    def sell(self, *references: str, terminal_id: str | None = None) -> int:
        """Sell articles at the cash register without waiting for the payment; return the sale's number."""
        chosen = {"terminal_id": terminal_id or self.entry["terminal_id"], "operation": "Debit"}
        for reference in references:
            self.press("/", do=f"add:{reference}", **chosen)
        answer = self.press("/", do="pay", **chosen)
        assert answer.status_code == 303, answer.text
        return int(answer.headers["location"].rpartition("/")[2])

    def sale(self, number: int) -> Json:
        """Return one sale as the cash register has it."""
        return next(one for one in self.get("register", "/records") if one["number"] == number)

    def page(self, number: int) -> str:
        """Return one sale's page as HTML."""
        return self._client.get(f"{self.entry['register']}/sales/{number}").raise_for_status().text

    def collect(self) -> Json:
        """Run a remote collection at the terminal."""
        collection: Json = self.post("screen", "/collect")
        return collection

    def transactions(self, order_id: str = "") -> list[Json]:
        """Return HiPay's transactions of an order, the newest first."""
        listed: list[Json] = self.get("console", "/transactions", order_id=order_id)["transactions"]
        return listed

    def statuses(self, order_id: str) -> list[int]:
        return [one["status"] for one in self.transactions(order_id)]

    def notified(self, order_id: str) -> list[str]:
        """Return the statuses of HiPay's notifications that the merchant's server accepted, in order."""
        received = self.get("merchant", "/hipay/notifications")
        return [
            one["content"]["status"]
            for one in received
            if one["is_taken"] and one["content"]["order[id]"] == order_id
        ]

    def webhooks(self, payment_id: str) -> list[str]:
        """Return the types of our webhooks that the merchant's server verified and accepted."""
        received = self.get("merchant", "/webhooks")
        return [
            one["content"]["type"]
            for one in received
            if one["is_taken"] and one["content"].get("payment_id") == payment_id
        ]

    @contextlib.contextmanager
    def held_back(self, verb: str) -> Iterator[None]:
        """Stop one of our processes while the block runs, outside of its database transactions."""
        (child,) = [
            one for one in psutil.Process(self._process.pid).children(recursive=True) if verb in one.cmdline()
        ]
        try:
            soon(lambda: self._stopped_without_lock(child))
            yield
        finally:
            child.send_signal(signal.SIGCONT)

    def _stopped_without_lock(self, child: psutil.Process) -> bool:
        child.send_signal(signal.SIGSTOP)
        soon(lambda: child.status() == psutil.STATUS_STOPPED)
        try:
            with contextlib.closing(sqlite3.connect(self._database, timeout=2)) as connection:
                connection.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError:
            # It was stopped within a write transaction: nobody else can begin one until it continues.
            child.send_signal(signal.SIGCONT)
            return False

    @property
    def _auth(self) -> httpx.BasicAuth:
        return httpx.BasicAuth(self.entry["username"], self.entry["password"])


def soon(look: Callable[[], Any], *, within_seconds: float = 30.0) -> Any:
    """Return the first true result of `look`; fail with its last one."""
    deadline = time.monotonic() + within_seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_seconds} s; last seen: {seen!r}"
        time.sleep(0.02)
    return seen


@contextlib.contextmanager
def whole_sandbox(amqp_url: str, folder: Path, *options: str) -> Iterator[WholeSandbox]:
    """Start the sandbox on free ports with its files in the folder; stop it with SIGINT."""
    given = {
        name: json.dumps(value) if isinstance(value, tuple) else value
        for name, value in {**SHORT_LIMITS, **_PATIENT_LIMITS}.items()
        if name != "secret_key"
    }
    command = [sys.executable, "-m", "cli", "sandbox", "--json", "--keep", str(folder)]
    ports = ["--api-port", "0", "--port-base", "0", "--terminal-port", "0", "--delay", "0"]
    errors = folder.with_suffix(".log")
    with errors.open("w") as log:
        process = subprocess.Popen(
            [*command, *ports, *options],
            env=environment_of({**given, "amqp_url": amqp_url}),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, errors.read_text()
        with httpx.Client(timeout=150, trust_env=False, limits=_LIMITS) as client:
            yield WholeSandbox(json.loads(line), process, client, folder / DATABASE_FILE)
        process.send_signal(signal.SIGINT)
        assert process.wait(_START_SECONDS) == 0, errors.read_text()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(_START_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
