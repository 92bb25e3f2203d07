"""RabbitMQ accounts: one for each kind of process, with permissions for its own queues."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.broker.topology import REPLY, Topology
from shared.notification.kinds import NOTIFICATION_KINDS
from shared.runtime.ids import RandomBytes

#: The administrator; no process of ours uses it.
OWNER: Final = "cloud_terminal"

#: The default exchange's name in patterns. Every account publishes through it and so to every queue, which is
#: safe: a message proves nothing, each worker reads the database before it acts.
_DEFAULT_EXCHANGE: Final = r"amq\.default"
_SALT_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Permissions:
    """Name patterns of what an account may declare and delete, bind and publish to, consume from."""

    configure: str
    write: str
    read: str


def permissions(topology: Topology) -> dict[str, Permissions]:
    """Return each account's permissions: only the account that consumes a queue may declare it."""
    payments = _any_of(topology.payments, topology.dead_payments)
    notifications = _any_of(
        *(topology.notifications(kind) for kind in NOTIFICATION_KINDS), topology.dead_notifications
    )
    replies = re.escape(topology.prefix + REPLY) + ".*"
    return {
        f"{OWNER}_api": _consuming(replies),
        f"{OWNER}_terminal": _consuming(payments),
        f"{OWNER}_notifier": _consuming(notifications),
    }


def definitions(
    topology: Topology, passwords: Mapping[str, str], random_bytes: RandomBytes
) -> dict[str, Any]:
    """Return the definitions that RabbitMQ loads at its start: accounts, permissions, durable queues.

    `passwords` by account, the owner's included.
    """
    allowed = {OWNER: Permissions(".*", ".*", ".*"), **permissions(topology)}
    return {
        "vhosts": [{"name": "/"}],
        "users": [
            {
                "name": name,
                "password_hash": _password_hash(passwords[name], random_bytes(_SALT_BYTES)),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "administrator" if name == OWNER else "",
            }
            for name in allowed
        ],
        "permissions": [
            {"user": name, "vhost": "/", "configure": one.configure, "write": one.write, "read": one.read}
            for name, one in allowed.items()
        ],
        "queues": [
            {
                "name": name,
                "vhost": "/",
                "durable": True,
                "auto_delete": False,
                "arguments": dict(kind.arguments(topology)),
            }
            for name, kind in topology.declarations
        ],
    }


def _consuming(queues: str) -> Permissions:
    return Permissions(f"^({queues})$", f"^({_DEFAULT_EXCHANGE}|{queues})$", f"^({queues})$")


def _any_of(*names: str) -> str:
    return "|".join(re.escape(name) for name in names)


def _password_hash(password: str, salt: bytes) -> str:
    """Return RabbitMQ's form of a password: salt, then SHA-256 of salt and password, in base64."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
