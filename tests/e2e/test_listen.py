"""`cloud-terminal listen` forwards a running sandbox's events to a developer's server."""

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest
from running.fleet import REPOSITORY
from running.whole_sandbox import Json, WholeSandbox, soon
from standardwebhooks import Webhook, WebhookVerificationError

WITHIN_SECONDS = 60


@dataclass
class Receiver:
    """A developer's server on a thread of its own."""

    port: int = 0
    #: None: it checks no signature.
    secret: str | None = None
    #: Bodies that it took, and the ids of all requests.
    taken: list[Json] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def answer(self, headers: dict[str, str], body: bytes) -> int:
        self.ids.append(headers["webhook-id"])
        try:
            if self.secret is not None:
                Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            return 401
        self.taken.append(json.loads(body))
        return 204


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(
                made.answer({name.lower(): value for name, value in self.headers.items()}, body)
            )
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Listening:
    """The running command; `lines` are those of JSON after the first."""

    secret: str
    lines: "Queue[Json]"
    press: Callable[[str], None]
    process: "subprocess.Popen[str]"

    def next(self) -> Json:
        return self.lines.get(timeout=WITHIN_SECONDS)


@contextlib.contextmanager
def listening(sandbox: WholeSandbox, to: str, *options: str) -> Iterator[Listening]:
    """Run the command at a terminal until `q` is pressed."""
    ours, theirs = pty.openpty()
    entry = sandbox.entry
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "listen", "--forward-to", to, "--json", "--interval", "0.1", *options],
        env={
            **os.environ,
            "XDG_CONFIG_HOME": "/nowhere",
            "CT_URL": entry["api"],
            "CT_USERNAME": entry["username"],
            "CT_SECRET": entry["password"],
        },
        cwd=REPOSITORY,
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    lines: Queue[Json] = Queue()
    assert process.stdout is not None

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(json.loads(line))

    reading = threading.Thread(target=read)
    reading.start()
    try:
        beginning = lines.get(timeout=WITHIN_SECONDS)
        assert beginning["listening"]
        yield Listening(beginning["secret"], lines, lambda keys: _type(ours, keys), process)
        _type(ours, "q")
        assert process.wait(WITHIN_SECONDS) == 0
    finally:
        process.kill()
        reading.join()
        process.stdout.close()
        os.close(ours)


def _type(descriptor: int, keys: str) -> None:
    os.write(descriptor, keys.encode())


def test_new_events_reach_a_developers_machine_signed_and_again_by_a_key(
    sandbox: WholeSandbox, receiver: Receiver
) -> None:
    """Each once, with the webhook's own body; a forged copy before it is refused; a replay keeps its id."""
    sandbox.paid(1200, sandbox.new_order_id())
    with listening(sandbox, receiver.url) as listen:
        receiver.secret = listen.secret
        payments = [sandbox.paid(amount, sandbox.new_order_id()) for amount in (1200, 1300)]
        shown = [listen.next() for _ in payments]
        listen.press("r")
        again = listen.next()
        listen.press("1\n")
        first_again = listen.next()

    assert [one["event"]["payment_id"] for one in shown] == [one["id"] for one in payments]
    assert [(one["status"], one["signature_check"], one["forged_status"]) for one in shown] == [
        (204, "forged_copy_refused", 401)
    ] * 2
    assert [(one["number"], one["replay"], one["status"]) for one in (again, first_again)] == [
        (2, True, 204),
        (1, True, 204),
    ]
    ids = [one["event"]["event_id"] for one in shown]
    assert receiver.ids == [f"{ids[0]}_forged", ids[0], f"{ids[1]}_forged", ids[1], ids[1], ids[0]]
    sent = [one["content"] for one in soon(lambda: _webhooks_of(sandbox, payments))]
    assert receiver.taken == [*sent, sent[1], sent[0]]


def _webhooks_of(sandbox: WholeSandbox, payments: list[Json]) -> list[Json] | None:
    """Return what the API itself sent, in the order of the payments; None before both came."""
    received = [one for one in sandbox.get("merchant", "/webhooks") if one["is_taken"]]
    taken = {one["content"].get("payment_id"): one for one in received}
    found = [taken.get(one["id"]) for one in payments]
    return None if None in found else [one for one in found if one is not None]


def test_a_server_that_checks_no_signature_is_told_once(sandbox: WholeSandbox, receiver: Receiver) -> None:
    """The first forged copy that it takes is the last one."""
    with listening(sandbox, receiver.url, "--type", "payment.succeeded") as listen:
        for amount in (1200, 1300, 3451):
            sandbox.pay(amount)
        shown = [listen.next() for _ in range(2)]

    assert [one["signature_check"] for one in shown] == ["forged_copy_accepted", "not_checked"]
    assert len(receiver.taken) == 3
    assert {one["type"] for one in receiver.taken} == {"payment.succeeded"}


def test_a_server_that_is_down_loses_nothing_of_the_feed(sandbox: WholeSandbox, receiver: Receiver) -> None:
    """Each event is shown with the reason; a key sends it once the server is up; a cursor begins earlier."""
    with listening(sandbox, "http://127.0.0.1:1/", "--secret", "whsec_c2VjcmV0IG9mIGEgdGVzdA==") as listen:
        payment = sandbox.paid(1200, sandbox.new_order_id())
        failed = listen.next()
    with listening(sandbox, receiver.url, "--after", "0", "--no-check") as listen:
        seen = [listen.next()]
        while seen[-1]["event"].get("payment_id") != payment["id"]:
            seen.append(listen.next())

    assert listen.secret.startswith("whsec_")
    assert (failed["status"], failed["event"]["payment_id"]) == (None, payment["id"])
    assert failed["error"]
    assert seen[-1]["status"] == 204
    assert {one["signature_check"] for one in seen} == {"not_checked"}
