"""`python -m sandbox.servers -- COMMAND ...`, beside an external PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[4]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sandbox.servers", *arguments]


@pytest.fixture
def environment(postgres_server_url: str) -> dict[str, str]:
    return {**os.environ, "TEST_POSTGRES_URL": postgres_server_url}


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a bound port on which nothing listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments),
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_gets_the_address_and_its_exit_status_is_returned(environment: dict[str, str]) -> None:
    """Standard output stays the command's own; progress goes to standard error."""
    finished = _run(environment, "--only", "postgres", "--", "sh", "-c", "echo $TEST_POSTGRES_URL; exit 7")

    assert finished.returncode == 7
    assert finished.stdout == environment["TEST_POSTGRES_URL"] + "\n"
    assert "PostgreSQL answers" in finished.stderr


def test_a_command_that_a_signal_ended_gives_the_status_that_a_shell_gives(
    environment: dict[str, str],
) -> None:
    """128 + 9."""
    finished = _run(environment, "--only", "postgres", "--", "sh", "-c", "kill -KILL $$")

    assert finished.returncode == 137


def test_a_signal_is_passed_on_and_the_command_ends_in_its_own_way(environment: dict[str, str]) -> None:
    """A test runner that is stopped still cleans up after itself."""
    script = """if True:
        import signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        print("up", flush=True)
        signal.sigwait({signal.SIGTERM})
        print("ended in order", flush=True)
        sys.exit(3)
    """
    process = subprocess.Popen(
        _command("--only", "postgres", "--", sys.executable, "-c", script),
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"

    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=30)

    assert rest == "ended in order\n"
    assert process.returncode == 3


def test_an_external_address_that_does_not_answer_is_an_error_and_never_replaced(
    environment: dict[str, str], closed_port: int
) -> None:
    """A given broker is never replaced by another one."""
    environment["TEST_AMQP_URL"] = f"amqp://guest:guest@127.0.0.1:{closed_port}/"

    finished = _run(environment, "--", "echo", "never run")

    assert finished.returncode == 69
    assert finished.stdout == ""
    assert "RabbitMQ at the address in TEST_AMQP_URL does not answer" in finished.stderr


def test_where_there_is_no_server_the_message_says_what_is_missing_and_what_to_type(
    environment: dict[str, str],
) -> None:
    """Never a silent skip."""
    environment.pop("TEST_AMQP_URL", None)

    finished = _run(environment, "--from", "external", "--only", "rabbitmq", "--", "echo", "never run")

    assert finished.returncode == 69
    assert finished.stdout == ""
    assert "TEST_AMQP_URL is not set" in finished.stderr
    assert "set TEST_AMQP_URL=amqp://user:password@host:5672/" in finished.stderr
