"""RabbitMQ accounts: each kind of process reaches its own queues only."""

import base64
import hashlib
import os
import re

import pytest

from shared.broker.accounts import OWNER, definitions, permissions
from shared.broker.topology import Topology

_TOPOLOGY = Topology("", 20)
_OWN = {
    "cloud_terminal_api": {"reply.p1"},
    "cloud_terminal_terminal": {"payments", "payments.dead"},
    "cloud_terminal_notifier": {"notify.hipay", "notify.merchant", "notify.dead"},
}
_NAMES = {*_TOPOLOGY.durable_queues, "reply.p1", "xpayments", "payments.x", "paymentsXdead", "amq.topic"}


@pytest.mark.parametrize("account", _OWN)
def test_an_account_works_with_its_own_queues_alone(account: str) -> None:
    """It consumes and declares no other queue, and publishes through the default exchange."""
    allowed = permissions(_TOPOLOGY)[account]

    for pattern in (allowed.configure, allowed.read):
        assert {name for name in _NAMES if re.search(pattern, name)} == _OWN[account]
    written = {name for name in (*_NAMES, "amq.default") if re.search(allowed.write, name)}
    assert written == {*_OWN[account], "amq.default"}


def test_a_prefix_keeps_two_installations_apart() -> None:
    """Its dots are dots."""
    allowed = permissions(Topology("shop.a.", 20))["cloud_terminal_terminal"]

    assert re.search(allowed.read, "shop.a.payments")
    assert not re.search(allowed.read, "payments")
    assert not re.search(allowed.read, "shopXa.payments")


def test_the_definitions_have_hashes_and_every_durable_queue() -> None:
    """In RabbitMQ's format: passwords are salted and hashed."""
    passwords = {name: f"secret of {name}" for name in (OWNER, *_OWN)}
    said = definitions(_TOPOLOGY, passwords, os.urandom)

    assert {queue["name"] for queue in said["queues"]} == set(_TOPOLOGY.durable_queues)
    assert "secret of" not in repr(said)
    for user in said["users"]:
        raw = base64.b64decode(user["password_hash"])
        assert raw[4:] == hashlib.sha256(raw[:4] + passwords[user["name"]].encode()).digest()
    assert [user["name"] for user in said["users"] if user["tags"]] == [OWNER]
