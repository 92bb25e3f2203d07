"""`make test-compose`: the whole system in Docker, from empty volumes to a stored payment, and down again."""

import json
import signal
import sys
import time
from typing import Any, Final

from tests.compose.installation import Failed, Installation, say, timed
from tests.compose.shop import AMOUNT_CENTS, Shop

#: Running is all that is known of these.
WITHOUT_CHECK: Final = ("grafana", "node-exporter")
LONG_LIVED: Final = {
    *("haproxy", "rabbitmq", "postgres", "api", "terminal-worker", "notifier-worker", "sandbox"),
    *("prometheus", *WITHOUT_CHECK),
}
PUBLISHED: Final = {(name, "127.0.0.1") for name in ("haproxy", "prometheus", "grafana")}

#: Reads the payments' queue with the account of the process that it runs in.
_CONSUME: Final = """
import asyncio, pathlib, aio_pika
async def main():
    connection = await aio_pika.connect(pathlib.Path("/etc/cloud-terminal/amqp-url").read_text().strip())
    queue = await (await connection.channel()).get_queue("payments", ensure=False)
    await queue.consume(print)
asyncio.run(main())
"""


def main() -> int:
    """Return 0 when a payment succeeded and is stored; whatever happened, everything is taken down again."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    installation = Installation("sandbox", "monitoring", files=["no-ports.yaml"])
    try:
        with installation.cleaned_up():
            _try(installation)
    except Failed as failure:
        say(f"FAILED: {failure}")
        return 1
    say(f"A payment through docker compose succeeded; all in all {time.monotonic() - began:.1f} s.")
    return 0


def _try(installation: Installation) -> None:
    installation.up()
    _check_services(installation)
    _check_what_is_kept_out(installation)
    with timed("merchant and credential"):
        credential = installation.credential()
    with timed("payment"):
        payment = _pay(Shop(f"http://{installation.address('haproxy', 8080)}", *credential))
    _check_stored(installation, payment)


def _check_services(installation: Installation) -> None:
    services = {}
    for line in installation.output("ps", "--format", "json").splitlines():
        service = json.loads(line)
        services[service["Service"]] = service
    healths = {name: service["Health"] for name, service in services.items() if name not in WITHOUT_CHECK}
    if unhealthy := {name: health for name, health in healths.items() if health != "healthy"}:
        raise Failed(f"not healthy: {unhealthy}")
    if missing := LONG_LIVED - services.keys():
        raise Failed(f"not running: {sorted(missing)}")
    published = {
        (name, port["URL"])
        for name, service in services.items()
        for port in service["Publishers"] or ()
        if port["PublishedPort"]
    }
    if published != PUBLISHED:
        raise Failed(f"only HAProxy, Prometheus and Grafana may be published, on loopback: {published}")


def _check_what_is_kept_out(installation: Installation) -> None:
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
        "the key in a terminal worker": ("terminal-worker", "test", "-e", "/etc/cloud-terminal/secret-key"),
        "an API that consumes payments": ("api", "python", "-c", _CONSUME),
        "the broker's management": ("rabbitmq", "bash", "-c", "</dev/tcp/127.0.0.1/15672"),
        "a way from HAProxy to the database": ("haproxy", "bash", "-c", "</dev/tcp/postgres/5432"),
    }
    for what, command in out.items():
        done = installation.compose("exec", "-T", *command, capture=True, check=False)
        if done.returncode == 0:
            raise Failed(f"there is {what}")


def _pay(shop: Shop) -> dict[str, Any]:
    """Pay on the terminal and return the answer's payment."""
    status, body = shop.pay("COMPOSE_1")
    if (status, body.get("paymentStatus")) != (200, "Success"):
        raise Failed(f"the API answered {status}: {body}")
    payment = body["payment"]
    assert isinstance(payment, dict)
    return payment


def _check_stored(installation: Installation, payment: dict[str, Any]) -> None:
    stored = installation.rows("SELECT id, state, coalesce(paid_cents, amount_cents) FROM payments")
    if stored != [[payment["id"], "succeeded", str(AMOUNT_CENTS)]]:
        raise Failed(f"stored is {stored}, answered was {payment}")
    say(f"stored: {stored[0]}")


if __name__ == "__main__":
    sys.exit(main())
