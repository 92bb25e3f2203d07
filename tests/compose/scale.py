"""`make scale-compose`: 200 payments over scaled containers, one of each kind killed in the middle."""

import json
import signal
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Final

from sandbox.terminal.device.session_log import (
    SessionRecord,
    charged_twice,
    overlapping_sessions,
    read_session_log,
)
from tests.compose.installation import Failed, Installation, say, timed
from tests.compose.shop import FIRST_PORT, TERMINALS, Sales, Shop

PAYMENTS: Final = 200
AT_ONCE: Final = 60
SCALES: Final = {"api": 3, "terminal_worker": 4, "notifier_worker": 2}
KILLED: Final = ("api", "terminal-worker", "notifier-worker")
#: Payments that are paid when the containers are killed.
KILLED_AFTER: Final = 60
NOTIFIED_SECONDS: Final = 120
_POLL_SECONDS: Final = 1.0


def main() -> int:
    """Return 0 when every order ended as the terminals say; whatever happened, everything is taken down."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    installation = Installation("sandbox", "monitoring", files=["terminals.yaml"])
    try:
        with installation.cleaned_up():
            _try(installation)
    except Failed as failure:
        say(f"FAILED: {failure}")
        return 1
    return 0


def _try(installation: Installation) -> None:
    installation.up(**SCALES)
    _check_that_prometheus_finds_all(installation)
    shop = Shop(f"http://{installation.address('haproxy', 8080)}", *installation.credential())

    def kill() -> None:
        for service in KILLED:
            victim = installation.containers(service)[0]
            installation.run("docker", "kill", victim, capture=True)
            say(f"killed one of {SCALES[service.replace('-', '_')]} {service}")

    with timed(f"{PAYMENTS} payments on {TERMINALS} terminals"):
        sales = shop.sell(PAYMENTS, at_once=AT_ONCE, meanwhile={KILLED_AFTER: kill})
    _usage(installation)
    _check_payments(installation, sales)
    _check_the_spread(installation)
    _check_notifications(installation)


def _check_that_prometheus_finds_all(installation: Installation) -> None:
    """Every container of every scaled service is scraped."""
    wanted = {
        **{name.replace("_", "-"): number for name, number in SCALES.items()},
        **dict.fromkeys(("haproxy", "rabbitmq", "rabbitmq-queues", "prometheus", "node"), 1),
    }
    found: dict[str, int] = {}
    until = time.monotonic() + 60
    while found != wanted and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
        found = {
            one["metric"]["job"]: int(one["value"][1]) for one in _query(installation, "sum by (job)(up)")
        }
    if found != wanted:
        raise Failed(f"Prometheus scrapes {found}, not {wanted}")
    say(f"Prometheus scrapes {found}")
    # The alert DiskFull compares both with a limit.
    for expression in (
        'node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes',
        "rabbitmq_disk_space_available_bytes / rabbitmq_disk_space_available_limit_bytes",
    ):
        if not _query(installation, expression):
            raise Failed(f"nothing is known of a disk: {expression}")


def _query(installation: Installation, expression: str) -> list[dict[str, Any]]:
    address = installation.address("prometheus", 9090)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    query = urllib.parse.urlencode({"query": expression})
    with direct.open(f"http://{address}/api/v1/query?{query}", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def _check_payments(installation: Installation, sales: Sales) -> None:
    """Answers, database and terminals say the same of each order, and nobody was charged twice."""
    for trouble, count in sorted(sales.troubles.items()):
        say(f"  answered meanwhile, and sent again: {count} x {trouble}")
    stored, attempts = _ends(installation)
    records = session_records(installation)
    if len(stored) != PAYMENTS:
        raise Failed(f"{PAYMENTS} orders were sent, {len(stored)} are stored")
    say(f"attempts: {attempts}")
    charges = sum(record.charged for record in records)
    states = {state: list(stored.values()).count(state) for state in sorted(set(stored.values()))}
    say(f"stored: {states}; charged by the terminals: {charges}")
    if twice := charged_twice(records):
        raise Failed(f"charged twice: {twice}")
    if overlaps := overlapping_sessions_by_terminal(records):
        raise Failed(f"{overlaps} sessions overlap")
    answered = {name for name, body in sales.answers.items() if body.get("paymentStatus") == "Success"}
    if answered != {name for name, state in stored.items() if state == "succeeded"}:
        raise Failed("answers and stored payments differ")
    # What is in doubt is told so, and only a payment of the killed worker may be.
    if not states.get("succeeded", 0) <= charges <= states.get("succeeded", 0) + states.get("in_doubt", 0):
        raise Failed("charges without a result")
    if set(states) - {"succeeded", "in_doubt"}:
        raise Failed(f"an order has another end: {states}")


def _ends(installation: Installation) -> tuple[dict[str, str], dict[str, int]]:
    """Return each order's end, and the number of attempts by state.

    An order whose terminal the killed worker held may have attempts before the paid one, which expired.
    """
    rows = installation.rows("SELECT order_id, state FROM payments ORDER BY created_at")
    found = {order: state for order, state in rows if state in {"succeeded", "in_doubt"}}
    ends = {order: found.get(order, state) for order, state in rows}
    return ends, dict(Counter(state for _, state in rows))


def overlapping_sessions_by_terminal(records: list[SessionRecord]) -> int:
    """Return how many sessions of a terminal overlap; a late look after a takeover may."""
    debits = [record for record in records if record.operation == "debit"]
    by_terminal: dict[str, list[SessionRecord]] = {}
    for record in debits:
        by_terminal.setdefault(record.peer.rpartition("@")[2], []).append(record)
    return sum(len(overlapping_sessions(own)) for own in by_terminal.values())


def session_records(installation: Installation) -> list[SessionRecord]:
    records = []
    with tempfile.TemporaryDirectory() as folder:
        for port in range(FIRST_PORT, FIRST_PORT + TERMINALS):
            path = Path(folder) / "records.jsonl"
            path.write_text(installation.output("exec", "-T", "terminals", "cat", f"/tmp/{port}.jsonl"))
            own = read_session_log(path)
            for record in own:
                record.peer = f"{record.peer}@{port}"
            records += own
    return records


def _check_the_spread(installation: Installation) -> None:
    """Every worker ran sessions and every API answered, those that were killed included."""
    query = "SELECT worker, count(*) FROM payments WHERE worker IS NOT NULL GROUP BY worker"
    sessions = sorted(int(count) for _, count in installation.rows(query))
    requests = _query(
        installation, 'sum by (server)(haproxy_server_http_responses_total{proxy="api",code="2xx"}) > 0'
    )
    answers = sorted(int(float(one["value"][1])) for one in requests)
    say(f"sessions of each terminal worker: {sessions}; answers of each API so far: {answers}")
    if len(sessions) != SCALES["terminal_worker"] or len(answers) < SCALES["api"]:
        raise Failed("a container had no work")


def _check_notifications(installation: Installation) -> None:
    """Every notification was delivered, although a notifier worker was killed."""
    until = time.monotonic() + NOTIFIED_SECONDS
    with timed("notifications"):
        while True:
            states = dict(installation.rows("SELECT state, count(*) FROM deliveries GROUP BY state"))
            if set(states) == {"delivered"} or time.monotonic() > until:
                break
            time.sleep(_POLL_SECONDS)
    say(f"notifications: {states}")
    if set(states) != {"delivered"}:
        raise Failed("notifications were not delivered")


def _usage(installation: Installation) -> None:
    """Print memory and threads of each container, which the limits are several times of."""
    form = "{{.Name}}\t{{.MemUsage}}\t{{.PIDs}}\t{{.CPUPerc}}"
    ids = installation.output("ps", "--quiet").split()
    stats = (
        installation.run("docker", "stats", "--no-stream", "--format", form, *ids, capture=True).stdout or ""
    )
    for line in sorted(stats.splitlines()):
        say(line.removeprefix(installation.project).strip("-"))


if __name__ == "__main__":
    sys.exit(main())
