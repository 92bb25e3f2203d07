import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
#: A limit for a machine with much else to do; alone it takes half a minute.
SECONDS = 150


@contextmanager
def demo(folder: Path, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    """Run the demo with its temporary files in this folder."""
    environment = {
        **os.environ,
        "TMPDIR": str(folder),
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


def test_the_demo_sells_through_trouble_compares_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """It compares everything that was recorded by itself and ends with 1 where anything differs."""
    with demo(tmp_path) as process:
        printed, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 0, printed
    lines = printed.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    for text in (
        "POST order BREAKFAST-1: debit 42.50 EUR",
        "register: the shop's cash register (POS)",
        "00 Approved, authorisation",
        "transaction 1 is in its journal: done",
        "AE  10 = done",
        "TICKET CLIENT",
        "51 Insufficient funds",
        "200 Success, receipt, replayed",
        "115 Cancelled",
        "no answer came: in_doubt",
        "enquiry: what was your last transaction?",
        "* SIGKILL for worker",
        "takes over the terminal lock of worker",
        "batch 1: 3 transactions, 26.73 EUR",
        "7 answers equal the 6 stored payments",
        "each payment was sent to it once",
        "agree: 26.73 EUR collected",
        "make sandbox",
    ):
        assert text in printed
    assert len([line for line in lines if line.endswith("200 Success, receipt, resolved by enquiry")]) == 2
    assert [line.split() for line in lines if line.startswith(" LUNCH-4 ")] == [
        ["LUNCH-4", "debit", "18.40", "succeeded", "enquiry"],
        ["LUNCH-4", "0.00", "18.40", "118", "Captured"],
    ]
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("line", ["Starting an API", "1. A debit"])
def test_a_demo_that_is_broken_off_leaves_nothing_behind(tmp_path: Path, line: str) -> None:
    """Ctrl-C while it starts, and while a payment is under way."""
    with demo(tmp_path) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith(line):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)

    assert process.returncode == 128 + signal.SIGINT
    assert left_behind(tmp_path) == []


def test_a_broker_that_does_not_answer_ends_the_demo_with_its_address_in_the_message(tmp_path: Path) -> None:
    """Exit status 1, and what to fix."""
    with demo(tmp_path, TEST_AMQP_URL="amqp://guest:guest@127.0.0.1:1/") as process:
        printed, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 1, printed
    assert "TEST_AMQP_URL does not answer" in printed
    assert left_behind(tmp_path) == []
