"""`make test-compose`: the whole system in Docker, from empty volumes to a stored payment, and down again."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sandbox.demo.orders import order

REPOSITORY: Final = Path(__file__).resolve().parents[2]
#: A project of its own: containers, networks and volumes of a running installation are not touched.
PROJECT: Final = f"cloud-terminal-test-{os.getpid()}"
COMPOSE: Final = (
    *("docker", "compose", "--project-name", PROJECT, "--profile", "sandbox"),
    *("--progress", "plain", "--file", str(REPOSITORY / "compose.yaml")),
    *("--file", str(Path(__file__).with_name("no-ports.yaml"))),
)
#: Port 0: the engine takes a free one on loopback.
ENVIRONMENT: Final = {**os.environ, "CLOUD_TERMINAL_API_PORT": "0"}
#: With the base images there; fetching them is up to the line to the registry.
UP_SECONDS: Final = 900
CALL_SECONDS: Final = 60
PAY_SECONDS: Final = 250
#: Nothing runs any more, and the data goes with the volumes.
STOP_SECONDS: Final = 10

AMOUNT_CENTS: Final = 1250
LONG_LIVED: Final = {"rabbitmq", "postgres", "api", "terminal_worker", "notifier_worker", "sandbox"}


#: Reads the payments' queue with the account of the process that it runs in.
_CONSUME: Final = """
import asyncio, pathlib, aio_pika
async def main():
    connection = await aio_pika.connect(pathlib.Path("/etc/cloud-terminal/amqp-url").read_text().strip())
    queue = await (await connection.channel()).get_queue("payments", ensure=False)
    await queue.consume(print)
asyncio.run(main())
"""


class Failed(Exception):
    """A step did not do what it promises; the message says what came instead."""


def main() -> int:
    """Return 0 when a payment succeeded and is stored; whatever happened, everything is taken down again."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    try:
        try:
            _try()
        except Failed:
            _run(*COMPOSE, "logs", "--no-color", "--tail", "40", check=False)
            raise
        finally:
            with _timed("down, with volumes"):
                _run(*COMPOSE, "down", "--volumes", "--remove-orphans", "--timeout", str(STOP_SECONDS))
    except Failed as failure:
        _say(f"FAILED: {failure}")
        return 1
    _say(f"A payment through docker compose succeeded; all in all {time.monotonic() - began:.1f} s.")
    return 0


def _try() -> None:
    with _timed("build"):
        _run(*COMPOSE, "build", seconds=UP_SECONDS)
    with _timed("up, until all are healthy"):
        _run(*COMPOSE, "up", "--build", "--wait", seconds=UP_SECONDS)
    _check_services()
    _check_what_is_kept_out()
    with _timed("merchant and credential"):
        name, secret = _credential()
    with _timed("payment"):
        payment = _pay(name, secret)
    _check_stored(payment)


def _check_services() -> None:
    services = {}
    for line in _output(*COMPOSE, "ps", "--format", "json").splitlines():
        service = json.loads(line)
        services[service["Service"]] = service
    if unhealthy := {name: s["Health"] for name, s in services.items() if s["Health"] != "healthy"}:
        raise Failed(f"not healthy: {unhealthy}")
    if missing := LONG_LIVED - services.keys():
        raise Failed(f"not running: {sorted(missing)}")
    published = {
        (name, port["URL"])
        for name, service in services.items()
        for port in service["Publishers"] or ()
        if port["PublishedPort"]
    }
    if published != {("api", "127.0.0.1")}:
        raise Failed(f"only the API may be published, on loopback: {published}")


def _check_what_is_kept_out() -> None:
    """The sandbox out of the image for production, other accounts' rights and secrets out of each process."""
    out = {
        "sandbox in the image": ("api", "python", "-c", "import sandbox"),
        "a credential made by the API": (
            "api",
            "cloud-terminal",
            "credential",
            "create",
            "--kind",
            "operator",
        ),
        "the owner's password in the API": ("api", "test", "-e", "/etc/cloud-terminal/postgres-password"),
        "the key in a terminal worker": ("terminal_worker", "test", "-e", "/etc/cloud-terminal/secret-key"),
        "an API that consumes payments": ("api", "python", "-c", _CONSUME),
        "the broker's management": ("rabbitmq", "bash", "-c", "</dev/tcp/127.0.0.1/15672"),
    }
    for what, command in out.items():
        if _run(*COMPOSE, "exec", "-T", *command, capture=True, check=False).returncode == 0:
            raise Failed(f"there is {what}")


def _credential() -> tuple[str, str]:
    """Create a merchant who may use the sandbox's network; return a credential's name and secret."""
    form = "{{(index .IPAM.Config 0).Subnet}}"
    network = _output("docker", "network", "inspect", "--format", form, f"{PROJECT}_outside").strip()
    merchant = json.loads(_command("merchant", "create", "Shop", "--network", network, "--json"))
    credential = json.loads(_command("credential", "create", merchant["id"], "--json"))
    return credential["username"], credential["secret"]


def _pay(name: str, secret: str) -> dict[str, Any]:
    """Pay on the terminal and return the answer's payment."""
    address = _output(*COMPOSE, "port", "api", "8080").strip()
    request = urllib.request.Request(
        f"http://{address}/v1/connector/order",
        data=json.dumps(order("COMPOSE_1", AMOUNT_CENTS, "terminal", 8888)).encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    # The environment's proxy is for other addresses than loopback.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=PAY_SECONDS) as answer:
            status, body = answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failed(f"the API answered {error.code}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise Failed(f"the API did not answer: {error}") from error
    if (status, body.get("paymentStatus")) != (200, "Success"):
        raise Failed(f"the API answered {status}: {body}")
    payment = body["payment"]
    assert isinstance(payment, dict)
    return payment


def _check_stored(payment: dict[str, Any]) -> None:
    psql = ("psql", "-U", "cloud_terminal", "-d", "cloud_terminal", "-At", "-c")
    query = "SELECT id, state, coalesce(paid_cents, amount_cents) FROM payments"
    stored = _output(*COMPOSE, "exec", "-T", "postgres", *psql, query).splitlines()
    if stored != [f"{payment['id']}|succeeded|{AMOUNT_CENTS}"]:
        raise Failed(f"stored is {stored}, answered was {payment}")
    _say(f"stored: {stored[0]}")


def _command(*arguments: str) -> str:
    # With the owner's account: the API's may not make merchants and credentials.
    return _output(*COMPOSE, "run", "--rm", "--no-deps", "-T", "migrate", *arguments)


def _output(*command: str) -> str:
    return _run(*command, capture=True).stdout or ""


def _run(
    *command: str, seconds: float = CALL_SECONDS, capture: bool = False, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    try:
        done = subprocess.run(
            command,
            env=ENVIRONMENT,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed: this test needs a Docker engine") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command)} was not done after {seconds:.0f} s") from error
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with status {done.returncode}")
    return done


@contextmanager
def _timed(step: str) -> Iterator[None]:
    _say(f"{step} ...")
    began = time.monotonic()
    yield
    _say(f"{step}: {time.monotonic() - began:.1f} s")


def _say(text: str) -> None:
    sys.stdout.write(f"compose: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
