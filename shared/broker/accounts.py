"""RabbitMQ accounts: one for each kind of process, with patterns of the queues that it works with."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.broker.topology import (
    DEAD_LETTERS,
    NOTIFICATIONS,
    PAYMENTS,
    REPLY,
    Topology,
)
from shared.notification.kinds import NOTIFICATION_KINDS
from shared.runtime.ids import RandomBytes

#: Runs the broker and may do everything; no process of ours uses it.
OWNER: Final = "cloud_terminal"

#: What is published goes by the default exchange, by its name in patterns. It leads to every queue:
#: a message proves nothing, each worker reads the database before it acts.
_DEFAULT_EXCHANGE: Final = r"amq\.default"
_SALT_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Permissions:
    """Patterns of names: declared and deleted, bound and published to, consumed from."""

    configure: str
    write: str
    read: str


def permissions(topology: Topology) -> dict[str, Permissions]:
    """Return each account's permissions: whoever consumes a queue may declare it, nobody else touches it."""
    payments = _any_of(topology.payments, topology.dead_payments)
    notifications = _any_of(
        *(topology.notifications(kind) for kind in NOTIFICATION_KINDS), topology.dead_notifications
    )
    replies = re.escape(topology.prefix + REPLY) + ".*"
    return {
        f"{OWNER}_api": _working_with(replies),
        f"{OWNER}_terminal": _working_with(payments),
        f"{OWNER}_notifier": _working_with(notifications),
    }


def definitions(
    topology: Topology, passwords: Mapping[str, str], random_bytes: RandomBytes
) -> dict[str, Any]:
    """Return what RabbitMQ loads at its start (`load_definitions`): accounts, permissions, lasting queues.

    `passwords` by account, the owner's too.
    """
    everything = Permissions(".*", ".*", ".*")
    allowed = {OWNER: everything, **permissions(topology)}
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
            for name, kind in (
                (topology.dead_payments, DEAD_LETTERS),
                (topology.dead_notifications, DEAD_LETTERS),
                (topology.payments, PAYMENTS),
                *((topology.notifications(kind), NOTIFICATIONS) for kind in NOTIFICATION_KINDS),
            )
        ],
    }


def _working_with(queues: str) -> Permissions:
    return Permissions(f"^({queues})$", f"^({_DEFAULT_EXCHANGE}|{queues})$", f"^({queues})$")


def _any_of(*names: str) -> str:
    return "|".join(re.escape(name) for name in names)


def _password_hash(password: str, salt: bytes) -> str:
    """RabbitMQ's form: salt, then SHA-256 of salt and password, in base64."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
