"""Where everything runs, for people: during the demo, and for those who leave it running."""

import json
from urllib.parse import urlsplit

from sandbox.demo.orders import order
from sandbox.demo.system import API, WORKERS, Shop, System
from sandbox.demo.terminals import REFUSED_CENTS

Rows = list[tuple[str, str]]


def running(system: System, broker_url: str) -> Rows:
    """Return what was started, and its addresses."""
    broker = urlsplit(broker_url)
    counter, terrace = system.terminals
    return [
        ("RabbitMQ", f"{broker.hostname}:{broker.port or 5672}"),
        ("database", f"SQLite, {system.database}"),
        (API, f"{system.api_url}/v1/connector/order, management {system.management[API]}"),
        *((name, f"management {system.management[name]}") for name in WORKERS),
        (counter.name, f"{counter.line}, chip and PIN, authorisation above 30.00 EUR"),
        (terrace.name, f"{terrace.line}, contactless; the bank refuses {REFUSED_CENTS / 100:.2f} EUR"),
    ]


def left_running(system: System, shop: Shop) -> Rows:
    """Return what one needs to pay by hand."""
    return [
        ("payments", f"{system.api_url}/v1/connector/order"),
        ("documentation", f"{system.api_url}/docs"),
        ("metrics", f"http://{system.management[API]}/metrics"),
        ("merchant", shop.merchant_id),
        ("username", shop.username),
        ("secret", shop.secret),
        ("database", str(system.database)),
        ("logs", f"{system.folder}/*.log"),
    ]


def example(system: System, shop: Shop) -> str:
    """Return a command line that pays."""
    asked = order("BY-HAND-1", 250, system.terminals[0].host, system.terminals[0].port)
    return (
        f"curl -u {shop.username}:{shop.secret} -H 'Content-Type: application/json' \\\n"
        f"  {system.api_url}/v1/connector/order \\\n"
        f"  -d '{json.dumps(asked)}'"
    )
