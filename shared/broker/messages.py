"""The message vocabulary: who sends what to whom. The database is the truth, messages only wake.

Bodies are JSON objects with `v` (version) and `type`; members that are not known are passed over, so that an
older release reads what a newer one adds.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from aio_pika import DeliveryMode, Message

from shared.broker.errors import UnreadableMessage
from shared.notification.kinds import NOTIFICATION_KINDS
from shared.runtime.ids import is_payment_id, is_probe_id

VERSION: Final = 1
LONGEST_BODY_BYTES: Final = 4096
#: Ids of ours: a delivery's is the longest, two ULIDs and a number. Others could be what no database takes.
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,128}")
#: AMQP's short string.
LONGEST_QUEUE_NAME_BYTES: Final = 255
TRACEPARENT_HEADER: Final = "traceparent"

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class PaymentMessage:
    """From the API at acceptance, from a worker that frees a line or sweeps; to any terminal worker.

    Everything but the id is read from the database at the claim. `reply_to` names the queue of the API that
    waits, for whoever commits an outcome before the payment could be read; None where nobody waits.
    """

    payment_id: str
    reply_to: str | None

    @property
    def id(self) -> str:
        """What the message is about."""
        return self.payment_id


@dataclass(frozen=True, slots=True)
class ProbeMessage:
    """From the API that was asked for a probe, to any terminal worker; everything else is in the database."""

    probe_id: str
    reply_to: str | None

    @property
    def id(self) -> str:
        """What the message is about."""
        return self.probe_id


#: What the workers' queue carries.
Work = PaymentMessage | ProbeMessage


@dataclass(frozen=True, slots=True)
class NotificationMessage:
    """From whoever committed a delivery, or from a notifier worker's sweep; to any notifier worker.

    `kind` is `hipay` or `merchant` and decides the queue; `target` is the endpoint's id, or `hipay`.
    Everything else is read from the database with the lease.
    """

    kind: str
    delivery_id: str
    target: str

    @property
    def id(self) -> str:
        """What the message is about."""
        return self.delivery_id


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """From whoever commits an outcome, doubt included; to the API that waits. Says only: look.

    `payment_id` is a probe's id where a probe ended.
    """

    payment_id: str


def encode_payment(message: PaymentMessage) -> bytes:
    return _encode("payment", payment_id=message.payment_id, reply_to=message.reply_to)


def encode_probe(message: ProbeMessage) -> bytes:
    return _encode("probe", probe_id=message.probe_id, reply_to=message.reply_to)


def encode_notification(message: NotificationMessage) -> bytes:
    return _encode("notification", kind=message.kind, delivery_id=message.delivery_id, target=message.target)


def encode_reply(message: ReplyMessage) -> bytes:
    return _encode("reply", payment_id=message.payment_id)


def decode_payment(body: bytes) -> PaymentMessage:
    """Return the message; raise UnreadableMessage."""
    message = decode_work(body)
    if not isinstance(message, PaymentMessage):
        raise UnreadableMessage("the type is not payment")
    return message


def decode_work(body: bytes) -> Work:
    """Return a message of the workers' queue; raise UnreadableMessage."""
    content = _decode(body, "payment", "probe")
    reply_to = content.get("reply_to")
    if reply_to is not None and not _is_queue_name(reply_to):
        raise UnreadableMessage("reply_to is no name of a queue")
    if content["type"] == "probe":
        probe_id = content.get("probe_id")
        if not isinstance(probe_id, str) or not is_probe_id(probe_id):
            raise UnreadableMessage("probe_id is missing or malformed")
        return ProbeMessage(probe_id, reply_to)
    return PaymentMessage(_payment_id(content), reply_to)


def decode_notification(body: bytes) -> NotificationMessage:
    """Return the message; raise UnreadableMessage."""
    content = _decode(body, "notification")
    kind = content.get("kind")
    if kind not in NOTIFICATION_KINDS:
        raise UnreadableMessage(f"the kind is not {' or '.join(NOTIFICATION_KINDS)}")
    return NotificationMessage(kind, _name(content, "delivery_id"), _name(content, "target"))


def decode_reply(body: bytes) -> ReplyMessage:
    """Return the message; raise UnreadableMessage."""
    content = _decode(body, "reply")
    about = content.get("payment_id")
    if isinstance(about, str) and is_probe_id(about):
        return ReplyMessage(about)
    return ReplyMessage(_payment_id(content))


def to_amqp(body: bytes, *, message_id: str, about: str, traceparent: str | None) -> Message:
    """Return a body as it is published: persistent, what it is `about` (a payment's id) as correlation id.

    `message_id` is new for each attempt: the client library matches returned messages by it.
    """
    return Message(
        body,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=message_id,
        correlation_id=about,
        app_id="cloud-terminal",
        headers={} if traceparent is None else {TRACEPARENT_HEADER: traceparent},
    )


def traceparent_of(headers: dict[str, Any]) -> str | None:
    """Return the W3C trace context of a message, or None where there is none that is well formed."""
    value = headers.get(TRACEPARENT_HEADER)
    return well_formed_traceparent(value.decode("latin-1") if isinstance(value, bytes) else value)


def well_formed_traceparent(value: object) -> str | None:
    """Return a W3C trace context as it came, or None for anything else."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def _encode(type_: str, **content: str | None) -> bytes:
    return json.dumps({"v": VERSION, "type": type_, **content}, separators=(",", ":")).encode()


def _decode(body: bytes, *types: str) -> dict[str, Any]:
    if len(body) > LONGEST_BODY_BYTES:
        raise UnreadableMessage(f"{len(body)} bytes are more than a message of ours has")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessage("the body is not JSON") from error
    if not isinstance(content, dict):
        raise UnreadableMessage("the body is no JSON object")
    if content.get("v") != VERSION:
        raise UnreadableMessage("the version is not one that this release knows")
    if content.get("type") not in types:
        raise UnreadableMessage(f"the type is not {' or '.join(types)}")
    return content


def _payment_id(content: dict[str, Any]) -> str:
    value = content.get("payment_id")
    if not isinstance(value, str) or not is_payment_id(value):
        raise UnreadableMessage("payment_id is missing or malformed")
    return value


def _name(content: dict[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise UnreadableMessage(f"{name} is missing or malformed")
    return value


def _is_queue_name(value: object) -> bool:
    return (
        isinstance(value, str) and value.isprintable() and 0 < len(value.encode()) <= LONGEST_QUEUE_NAME_BYTES
    )
