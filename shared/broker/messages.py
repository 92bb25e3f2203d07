"""The broker's messages, each with its sender and its receiver. The database is the truth, messages only
wake.

Bodies are JSON objects with `v` (version) and `type`; unknown members are ignored, so that an older release
reads a newer one's messages.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from aio_pika import DeliveryMode
from pamqp import commands as spec
from pamqp.common import FieldTable

from shared.broker.errors import UnreadableMessage
from shared.notification.kinds import NOTIFICATION_KINDS
from shared.runtime.ids import is_payment_id, is_probe_id
from shared.runtime.logging import is_sane_request_id
from shared.tracing.context import TRACEPARENT, TRACESTATE, TraceContext, trace_context

VERSION: Final = 1
MAX_BODY_BYTES: Final = 4096
#: Payments and probes that one reply names; all fit into MAX_BODY_BYTES.
MOST_OF_A_REPLY: Final = 100
#: Ids of ours; a delivery's is the longest, two ULIDs and a number. Other texts may be invalid in a database.
_ID: Final = re.compile(r"[A-Za-z0-9_]{1,128}")
#: AMQP's short string.
MAX_QUEUE_NAME_BYTES: Final = 255
REQUEST_ID_HEADER: Final = "x-request-id"


@dataclass(frozen=True, slots=True)
class PaymentMessage:
    """A payment, from the API at acceptance or a worker that frees a terminal or sweeps; to a terminal
    worker.

    Everything but the id is read from the database at the claim. `reply_to` is the queue of the waiting API
    process, for a worker that ends the payment before it could read it; None where no request waits.
    """

    payment_id: str
    reply_to: str | None

    @property
    def id(self) -> str:
        """The id for logs and the correlation id."""
        return self.payment_id


@dataclass(frozen=True, slots=True)
class ProbeMessage:
    """A probe, from the API that was asked for it; to a terminal worker. The rest is in the database."""

    probe_id: str
    reply_to: str | None

    @property
    def id(self) -> str:
        """The id for logs and the correlation id."""
        return self.probe_id


#: The messages of the terminal workers' queue.
Work = PaymentMessage | ProbeMessage


@dataclass(frozen=True, slots=True)
class NotificationMessage:
    """A delivery, from the process that committed it or a notifier worker's sweep; to a notifier worker.

    `kind` is `hipay` or `merchant` and decides the queue; `target` is the endpoint's id, or `hipay`.
    Everything else is read from the database with the lease.
    """

    kind: str
    delivery_id: str
    target: str
    #: More deliveries to the target are due: the worker reads them from the database.
    more: bool = False

    @property
    def id(self) -> str:
        """The id for logs and the correlation id."""
        return self.delivery_id


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """A wake-up from the process that commits the end of a payment, or its doubt; to the waiting API process.

    `payment_id` is the probe's id where a probe ended. `more` names the other payments and probes of the same
    API process that ended meanwhile; a release that does not know it finds them in the database.
    """

    payment_id: str
    more: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all that ended."""
        return (self.payment_id, *self.more)


def encode_payment(message: PaymentMessage) -> bytes:
    return _encode("payment", payment_id=message.payment_id, reply_to=message.reply_to)


def encode_probe(message: ProbeMessage) -> bytes:
    return _encode("probe", probe_id=message.probe_id, reply_to=message.reply_to)


def encode_notification(message: NotificationMessage) -> bytes:
    more = {"more": True} if message.more else {}
    return _encode(
        "notification", kind=message.kind, delivery_id=message.delivery_id, target=message.target, **more
    )


def encode_reply(message: ReplyMessage) -> bytes:
    more = {"more": list(message.more)} if message.more else {}
    return _encode("reply", payment_id=message.payment_id, **more)


def decode_work(body: bytes) -> Work:
    """Return a message of the terminal workers' queue; raise UnreadableMessage."""
    content = _decode(body, "payment", "probe")
    reply_to = content.get("reply_to")
    if reply_to is not None and not _is_queue_name(reply_to):
        raise UnreadableMessage("reply_to is not a queue's name")
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
    more = content.get("more", False)
    if not isinstance(more, bool):
        raise UnreadableMessage("more is malformed")
    return NotificationMessage(kind, _id(content, "delivery_id"), _id(content, "target"), more)


def decode_reply(body: bytes) -> ReplyMessage:
    """Return the message; raise UnreadableMessage."""
    content = _decode(body, "reply")
    payment_id, more = content.get("payment_id"), content.get("more", [])
    if not _is_reply_id(payment_id):
        raise UnreadableMessage("payment_id is missing or malformed")
    if not isinstance(more, list) or not all(map(_is_reply_id, more)):
        raise UnreadableMessage("more is malformed")
    return ReplyMessage(payment_id, tuple(more))


def properties_of(
    *, message_id: str, about: str, trace: TraceContext | None, request_id: str | None = None
) -> spec.Basic.Properties:
    """Return a message's properties: persistent, with `about` (e.g. a payment's id) as correlation id.

    `request_id` is that of the HTTP request which it is sent for, for logs.

    `message_id` is new for each publish: the client library matches returned messages by it.
    """
    return spec.Basic.Properties(
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=message_id,
        correlation_id=about,
        app_id="cloud-terminal",
        headers=_headers(trace, request_id),
    )


def _headers(trace: TraceContext | None, request_id: str | None) -> FieldTable | None:
    headers = {REQUEST_ID_HEADER: request_id}
    if trace is not None:
        headers |= {TRACEPARENT: trace.traceparent, TRACESTATE: trace.tracestate}
    return {name: value for name, value in headers.items() if value is not None} or None


def request_id_of(headers: dict[str, Any]) -> str | None:
    """Return the id of the request that a message was sent for, or None where it is missing or malformed."""
    text = _text(headers.get(REQUEST_ID_HEADER))
    return text if isinstance(text, str) and is_sane_request_id(text) else None


def trace_of(headers: dict[str, Any]) -> TraceContext | None:
    """Return the W3C trace context of a message, or None where it is missing or malformed."""
    return trace_context(_text(headers.get(TRACEPARENT)), _text(headers.get(TRACESTATE)))


def _text(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _encode(type_: str, **content: str | bool | list[str] | None) -> bytes:
    return json.dumps({"v": VERSION, "type": type_, **content}, separators=(",", ":")).encode()


def _decode(body: bytes, *types: str) -> dict[str, Any]:
    if len(body) > MAX_BODY_BYTES:
        raise UnreadableMessage(f"the body has {len(body)} bytes, more than {MAX_BODY_BYTES}")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessage("the body is not JSON") from error
    if not isinstance(content, dict):
        raise UnreadableMessage("the body is not a JSON object")
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


def _is_reply_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and (is_payment_id(value) or is_probe_id(value))


def _id(content: dict[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise UnreadableMessage(f"{name} is missing or malformed")
    return value


def _is_queue_name(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value.encode()) <= MAX_QUEUE_NAME_BYTES
