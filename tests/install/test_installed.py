"""The wheels of dist/, installed as users do: the sandbox starts and a payment passes by the client."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

REPOSITORY: Final = Path(__file__).parents[2]
DIST: Final = REPOSITORY / "dist"
#: Installed beside the client: it pays in the sandbox that the tool has started.
PAYS: Final = """
import sys
from cloud_terminal_client import CloudTerminal, Order, Succeeded
url, username, password, terminal = sys.argv[1:]
with CloudTerminal(url, username, password, trust_env=False) as api:
    outcome = api.pay(Order("INSTALLED", 1250, terminal))
assert isinstance(outcome, Succeeded), outcome
print(outcome.payment.id)
"""


def wheel(name: str) -> Path:
    (found,) = DIST.glob(f"{name}-*.whl")
    return found


def run(*command: str | Path, **variables: str) -> str:
    # Neither this repository nor this environment helps.
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [str(word) for word in command],
        env={**environment, **variables},
        cwd="/",
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=600,
    )
    return done.stdout


def by_uv(folder: Path) -> Path:
    run(
        *("uv", "tool", "install", "--quiet", wheel("cloud_terminal")),
        UV_TOOL_DIR=str(folder / "tools"),
        UV_TOOL_BIN_DIR=str(folder / "bin"),
    )
    return folder / "bin/cloud-terminal"


def by_pipx(folder: Path) -> Path:
    run(
        *("uv", "tool", "run", "--quiet", "pipx", "install", "--quiet", "--python", sys.executable),
        wheel("cloud_terminal"),
        PIPX_HOME=str(folder / "pipx"),
        PIPX_BIN_DIR=str(folder / "bin"),
    )
    return folder / "bin/cloud-terminal"


@contextmanager
def sandbox(command: Path, amqp_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    ports = ("--api-port", "0", "--port-base", "0", "--terminal-port", "0", "--delay", "0")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        [command, "sandbox", "--json", *ports],
        env={**environment, "CLOUD_TERMINAL_AMQP_URL": amqp_url},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@pytest.mark.parametrize("install", [by_uv, by_pipx])
def test_the_installed_sandbox_takes_a_payment_of_the_installed_client(
    install: Any, amqp_url: str, tmp_path: Path
) -> None:
    """As `uv tool install` and `pipx install` leave it, in a folder of its own."""
    command = install(tmp_path)
    client = tmp_path / "client"
    run("uv", "venv", "--quiet", "--python", sys.executable, client)
    run("uv", "pip", "install", "--quiet", "--python", client / "bin/python", wheel("cloud_terminal_client"))

    assert run(command, "--version").startswith("cloud-terminal ")
    with sandbox(command, amqp_url, tmp_path) as entry:
        words = (entry["api"], entry["username"], entry["password"], entry["terminal_id"])
        assert run(client / "bin/python", "-c", PAYS, *words).startswith("pay_")
