"""`cloud-terminal virtual-terminal` from outside: a process and raw bytes, no import of this project."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

HOST = f"127.{os.getpid() % 200 + 20}.77.1"
CJ = "CJ012247300123456"

#: The worked frames of the protocol's description.
DEBIT = f"CZ0040300{CJ}CA00201CB0042500CD0010CE003978".encode()
DEBIT_WITH_RECEIPT = DEBIT + b"CK003100"
CREDIT = f"CZ0040310{CJ}CA00201CB003300CD0011CE003978CK003120".encode()
IDENTIFICATION = b"CZ0040301CJ012330538600404CA00201CD001I"
DUPLICATE = f"CZ0040320{CJ}CA00201CD0013CE003978CK003100".encode()
COLLECTION = f"CZ0040320{CJ}CA00201CD001B".encode()
BAD_AMOUNT = b"CZ0040320CJ012999999999999CA00201CB00512,45CD0010CE003978"


def debit(cents: int, reference: str = "", action: str = "0") -> bytes:
    amount = f"{cents:02d}"
    frame = f"CZ0040320{CJ}CA00201CB{len(amount):03d}{amount}CD001{action}CE003978"
    if reference:
        frame += f"CF{len(reference):03d}{reference}"
    return (frame + "CK003100").encode()


def fields_of(data: bytes) -> dict[str, str]:
    """Read tag, length and value, one after the other, to the very end."""
    fields: dict[str, str] = {}
    position = 0
    while position < len(data):
        tag, length = data[position : position + 2].decode(), int(data[position + 2 : position + 5])
        value = data[position + 5 : position + 5 + length]
        assert len(value) == length, f"{tag} is cut"
        assert tag not in fields, f"{tag} comes twice"
        fields[tag] = value.decode()
        position += 5 + length
    return fields


class Terminal:
    """The running process."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, screen: str, record: Path) -> None:
        self.process = process
        self.port = port
        self.screen = screen
        self.record = record

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=30)

    def ask(self, data: bytes, *, piece_bytes: int | None = None) -> dict[str, str]:
        """Send a request, read to the terminal's close, return the answer's fields."""
        with self.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            size = piece_bytes or len(data)
            for begin in range(0, len(data), size):
                connection.sendall(data[begin : begin + size])
            return fields_of(read_all(connection))

    def sessions(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def state(self) -> dict[str, object]:
        return self.control("state")

    def hold_card(self) -> None:
        """The customer pays: up to 50.00 without a PIN."""
        self.control("card", {"card": "visa", "mode": "contactless"})

    def control(self, path: str, body: dict[str, str] | None = None) -> dict[str, object]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(
            f"{self.screen}{path}", data, headers={"Content-Type": "application/json"}
        )
        with opener.open(asked, timeout=30) as answer:
            state: dict[str, object] = json.load(answer)
            return state

    def wait_for_stage(self, stage: str) -> None:
        deadline = time.monotonic() + 30
        while self.state()["stage"] != stage:
            assert time.monotonic() < deadline, self.state()
            time.sleep(0.02)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(4096):
        received += piece
    return received


@contextlib.contextmanager
def playing(folder: Path, *options: str) -> Iterator[Terminal]:
    record = folder / "sessions.jsonl"
    command = [sys.executable, "-m", "cli", "virtual-terminal", "--host", HOST, "--port", "0"]
    command += ["--screen-port", "0", "--record", str(record), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "is listening" in line:
                break
        listening = re.search(rf"listening on {re.escape(HOST)}:(\d+)", said)
        screen = re.search(r"http://\S+", said)
        assert listening, said
        assert screen, said
        yield Terminal(process, int(listening[1]), screen[0], record)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with playing(tmp_path_factory.mktemp("prompt"), "--delay", "0") as running:
        yield running


@pytest.fixture(scope="module")
def patient_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Run one that takes no pause of a busy machine for the end of a request."""
    with playing(tmp_path_factory.mktemp("patient"), "--delay", "0", "--request-idle", "1") as running:
        yield running


@pytest.fixture(scope="module")
def hand_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Run one whose customer acts when a test says so."""
    with playing(tmp_path_factory.mktemp("hand"), "--by-hand") as running:
        yield running


WORKED_FRAMES = (DEBIT, DEBIT_WITH_RECEIPT, CREDIT, IDENTIFICATION, DUPLICATE, COLLECTION, BAD_AMOUNT)


@pytest.mark.parametrize("end", [b"", b"\r\n"], ids=["bare", "with CR LF"])
def test_every_worked_frame_is_answered(terminal: Terminal, end: bytes) -> None:
    """Debit with and without a ticket, credit, identification, duplicate, collection, a format error."""
    check_answers([terminal.ask(data + end) for data in WORKED_FRAMES])


@pytest.mark.parametrize("end", [b"", b"\r\n"], ids=["bare", "with CR LF"])
def test_every_worked_frame_may_come_byte_by_byte(patient_terminal: Terminal, end: bytes) -> None:
    """A request that may be whole and goes on is read to its end."""
    check_answers([patient_terminal.ask(data + end, piece_bytes=1) for data in WORKED_FRAMES])


def check_answers(answers: list[dict[str, str]]) -> None:
    paid, with_ticket, credited, identified, repeated, collected, rejected = answers
    for answer, amount, action in ((paid, "2500", "0"), (with_ticket, "2500", "0"), (credited, "300", "1")):
        assert (answer["AE"], answer["CB"], answer["CD"], answer["CE"]) == ("10", amount, action, "978")
        assert answer["CJ"] == "247300123456"
        assert (answer["CC"], answer["AI"], answer["CI"]) == ("001", "A0000000421010", "1")
    assert "ZT" not in paid
    assert with_ticket["ZT"].startswith("CK003100AK")
    assert list(identified) == ["CZ", "CJ", "CA", "CD", "AE"]
    assert (repeated["AE"], repeated["CB"], repeated["CD"]) == ("10", "300", "1")
    assert (collected["AE"], collected["CD"]) == ("10", "B")
    assert (rejected["AE"], rejected["AF"], rejected["CB"]) == ("01", "09", "12,45")


def test_the_last_two_digits_choose_the_outcome(terminal: Terminal) -> None:
    """Approved, refused by the bank with its code, abandoned, busy, dropped after approval."""
    approved = terminal.ask(debit(4200))
    refused = terminal.ask(debit(4251))
    abandoned = terminal.ask(debit(4222))
    busy = terminal.ask(debit(4223))
    with terminal.connect() as connection:
        connection.sendall(debit(4233, "my own reference"))
        assert read_all(connection) == b""
    found = terminal.ask(DUPLICATE)

    assert approved["AE"] == "10"
    assert (refused["AE"], refused["AF"][:4], len(refused["AF"])) == ("01", "0451", 29)
    assert (abandoned["AE"], abandoned["AF"][:2]) == ("01", "06")
    assert (busy["AE"], "AF" in busy) == ("01", False)
    assert (found["AE"], found["CB"], found["CF"]) == ("10", "4233", "my own reference")


def test_two_clients_at_once_are_one_payment_and_one_busy(hand_terminal: Terminal) -> None:
    """The second is answered at once, the first is not disturbed."""
    with hand_terminal.connect() as first, hand_terminal.connect() as second:
        first.sendall(debit(4200, "first"))
        hand_terminal.wait_for_stage("card")
        second.sendall(debit(1300, "second"))
        answer = fields_of(read_all(second))
        hand_terminal.hold_card()
        paid = fields_of(read_all(first))

    assert (answer["AE"], "AF" in answer) == ("01", False)
    assert (paid["AE"], paid["CF"]) == ("10", "first")


def test_a_client_that_drops_in_the_middle_charges_once_or_not_at_all(hand_terminal: Terminal) -> None:
    """Half a request is ignored; a whole one is paid without its sender, and a duplicate shows it."""
    with hand_terminal.connect() as half:
        half.sendall(DEBIT[:30])
    with hand_terminal.connect() as gone:
        gone.sendall(debit(4200, "gone"))
        hand_terminal.wait_for_stage("card")
    hand_terminal.hold_card()
    hand_terminal.wait_for_stage("ended")
    found = hand_terminal.ask(DUPLICATE)

    assert (found["AE"], found["CB"], found["CF"]) == ("10", "4200", "gone")
    charged = [session for session in hand_terminal.sessions() if session["charged"]]
    assert [one["answered"] for one in charged if one["reference"] == "gone"] == [False]
    assert [one["reference"] for one in charged if one["reference"] is None] == []


def test_a_reversal_undoes_its_debit_once_and_only_before_the_collection(terminal: Terminal) -> None:
    """Same amount, same card."""
    terminal.ask(debit(6400))
    undone, again = terminal.ask(debit(6400, action="2")), terminal.ask(debit(6400, action="2"))
    terminal.ask(debit(5200))
    assert terminal.ask(COLLECTION)["AE"] == "10"
    too_late = terminal.ask(debit(5200, action="2"))

    assert undone["AE"] == "10"
    for refused in (again, too_late):
        assert (refused["AE"], refused["AF"][:2]) == ("01", "07")


def test_noise_is_answered_and_changes_nothing(terminal: Terminal) -> None:
    """A browser, random bytes, a length that lies; the next payment is paid."""
    for noise in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), b"CZ9990320"):
        with terminal.connect() as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            answer = read_all(connection)
            assert answer == b"" or fields_of(answer)["AE"] == "01"

    assert terminal.ask(DEBIT)["AE"] == "10"
