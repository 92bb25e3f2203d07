"""Where everything runs, for people: during the demo, and for those who leave it running."""

import json
from urllib.parse import urlsplit

from sandbox.demo.orders import order
from sandbox.demo.partners import TERMINAL
from sandbox.demo.system import API, NOTIFIER, WORKERS, System
from sandbox.demo.terminals import REFUSED_CENTS
from sandbox.run.places import PAGES
from sandbox.run.shop import Shop

Rows = list[tuple[str, str]]


def running(system: System, broker_url: str) -> Rows:
    """Return what was started, and its addresses."""
    broker = urlsplit(broker_url)
    counter, terrace = system.terminals
    urls = system.partners.urls
    return [
        ("RabbitMQ", f"{broker.hostname}:{broker.port or 5672}"),
        ("database", f"SQLite, {system.database}"),
        (API, f"{system.api_url}/v1/connector/order, management {system.management[API]}"),
        *((name, f"management {system.management[name]}") for name in (*WORKERS, NOTIFIER)),
        (counter.name, f"{counter.line}, chip and PIN, authorisation above 30.00 EUR"),
        (terrace.name, f"{terrace.line}, contactless; the bank refuses {REFUSED_CENTS / 100:.2f} EUR"),
        (TERMINAL, f"{system.partners.line}, with a gateway: Preludd {urls['preludd']}"),
        ("banks", f"Nepting {urls['nepting']}, acquirer {urls['acquirer']}, issuer {urls['issuer']}"),
        ("HiPay", urls["console"]),
        ("merchant", urls["merchant"]),
    ]


def left_running(system: System, shop: Shop) -> Rows:
    """Return what one needs to pay by hand, and the sandbox's pages."""
    pages = [(title, f"{system.partners.urls[name]}/ ({what})") for name, (title, what) in PAGES.items()]
    return [
        *pages,
        ("payments", f"{system.api_url}/v1/connector/order"),
        ("documentation", f"{system.api_url}/docs"),
        ("metrics", f"http://{system.management[API]}/metrics"),
        ("merchant id", shop.merchant_id),
        ("username", shop.username),
        ("secret", shop.password),
        ("database", str(system.database)),
        ("logs", f"{system.folder}/*.log"),
    ]


def example(system: System, shop: Shop) -> str:
    """Return a command line that pays."""
    asked = order("BY-HAND-1", 250, system.terminals[0].host, system.terminals[0].port)
    return (
        f"curl -u {shop.username}:{shop.password} -H 'Content-Type: application/json' \\\n"
        f"  {system.api_url}/v1/connector/order \\\n"
        f"  -d '{json.dumps(asked)}'"
    )
