import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import ANY

import psutil

ROOT = Path(__file__).resolve().parents[2]
#: A limit for a machine with much else to do; alone it takes half a minute.
SECONDS = 150


@contextmanager
def demo(folder: Path, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    """Run the demo with its temporary files in this folder."""
    environment = {
        **os.environ,
        "TMPDIR": str(folder),
        "COLUMNS": "110",
        "PYTHONPATH": str(ROOT),
        **variables,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox.demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def left_behind(folder: Path) -> list[str]:
    """Files in its folder, and processes that it started."""
    processes = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(folder):
                processes.append(" ".join(process.cmdline()))
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return [*(entry.name for entry in folder.iterdir()), *processes]


def test_the_demo_pays_shows_the_way_of_each_payment_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """It compares all that was recorded by itself and ends with 1 where anything differs."""
    with demo(tmp_path) as process:
        printed, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 0, printed
    for told in (
        "POST order BREAKFAST-1: Debit 42.50 EUR, basket, customer, custom data",
        "AE  10 = done",
        "errorCode 04 (refused: REFUSED)",
        "amount CB 4250 = 42.50 EUR · action CD 2 = reversal",
        "action CD 1 = credit",
        "finds the terminal held by the other payment: this one waits in the line",
        "200 Success, receipt, replayed: true",
        "│ TICKET CLIENT ",
        "order notification of PICNIC-6: signature and credentials are right",
        "00 Approved, authorisation",
        "webhook payment.succeeded",
        "acknowledged: signature verified",
        "HiPay has the order and no transaction yet: it waits for the collection",
        "10 payments, 36 events",
        "10 payments, 10 sessions: each payment was sent to its terminal once",
        "HiPay has 10 order notifications, one for each payment",
        "agree to the cent: 55.00 EUR collected",
    ):
        assert told in printed
    assert [
        line.split() for line in printed.splitlines() if line.startswith((" PICNIC-6 ", " BAGUETTE-7 "))
    ] == [
        ["PICNIC-6", ANY, "118", "Captured", "42.50", "42.50", "visa", "411111******1111"],
        ["BAGUETTE-7", ANY, "118", "Captured", "0.00", "12.50", "cb", "497010******7893"],
    ]
    assert left_behind(tmp_path) == []


def test_a_demo_that_is_broken_off_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C before anything is ready."""
    with demo(tmp_path) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)

    assert first.startswith("Starting")
    assert process.returncode == 128 + signal.SIGINT
    assert left_behind(tmp_path) == []


def test_a_broker_that_does_not_answer_ends_the_demo_with_its_address_in_the_message(tmp_path: Path) -> None:
    """Exit status 1, and what to mend."""
    with demo(tmp_path, TEST_AMQP_URL="amqp://guest:guest@127.0.0.1:1/") as process:
        printed, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 1, printed
    assert "TEST_AMQP_URL does not answer" in printed
    assert "the end of its log" in printed
    assert left_behind(tmp_path) == []
