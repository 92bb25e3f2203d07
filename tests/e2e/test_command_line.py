"""A merchant's verbs against a running sandbox: a payment, its event, and a webhook's test."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from running.command import Command
from running.fleet import REPOSITORY
from running.whole_sandbox import WholeSandbox

WITHIN_SECONDS = 60


def merchant_of(sandbox: WholeSandbox) -> Command:
    entry = sandbox.entry
    return Command(
        {
            "XDG_CONFIG_HOME": "/nowhere",
            "CT_URL": entry["api"],
            "CT_USERNAME": entry["username"],
            "CT_SECRET": entry["password"],
        }
    )


def test_an_order_is_paid_by_the_command_and_its_event_is_shown(sandbox: WholeSandbox) -> None:
    """The terminal's answer comes through a worker; the feed has the event from that time on."""
    merchant, order_id = merchant_of(sandbox), sandbox.new_order_id()
    before = datetime.now(UTC) - timedelta(minutes=1)
    sale = ("payments", "pay", order_id, "1200", "--terminal", sandbox.entry["terminal_id"])

    paid = merchant.row(*sale)
    again = merchant.row(*sale)

    assert paid["outcome"] == again["outcome"] == "succeeded"
    assert again["payment"]["id"] == paid["payment"]["id"]
    since = ("events", "tail", "--no-follow", "--since", before.isoformat(timespec="seconds")[:19])
    events = merchant.rows(*since, "--type", "payment.succeeded")
    assert events[-1]["payment_id"] == paid["payment"]["id"]
    (line,) = [one for one in merchant.run(*since).stdout.splitlines() if order_id in one]
    assert line.split()[1:] == ["payment.succeeded", paid["payment"]["id"], "12.00", "EUR", order_id]
    assert merchant.rows("events", "tail", "--no-follow") == []


def test_a_webhooks_test_shows_the_receivers_answer(sandbox: WholeSandbox) -> None:
    """It is signed and sent as any webhook is, by a notifier worker."""
    merchant = merchant_of(sandbox)
    own = f"{sandbox.entry['merchant']}/webhooks"  # other tests of the shared sandbox make endpoints, too
    (endpoint,) = [one for one in merchant.rows("webhooks", "list") if one["url"] == own]

    sent = merchant.row("webhooks", "test", endpoint["id"])

    assert (sent["state"], sent["type"], sent["attempts"][0]["status"]) == ("delivered", "endpoint.test", 200)
    shown = merchant.run("webhooks", "list").stdout
    assert endpoint["id"] in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "unknown.resource" in merchant.run("webhooks", "test", "whe_none", code=3).stderr


def test_the_tail_of_events_ends_clean_at_ctrl_c(sandbox: WholeSandbox) -> None:
    """Whatever was shown until then stays; nothing else is said."""
    merchant = merchant_of(sandbox)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "events", "tail", "--json", "--interval", "0.1"],
        env={**os.environ, **merchant.environ},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        # It begins at a moment of its own: pay until an event is shown.
        shown = ""
        while not shown:
            sandbox.pay(1200)
            os.set_blocking(process.stdout.fileno(), False)
            shown = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=WITHIN_SECONDS)
    finally:
        process.kill()

    assert json.loads(shown)["type"] == "payment.succeeded"
    assert (process.returncode, error) == (0, "")
