"""The merchant's server: verifies signatures, drops repeats, keeps messages, refuses some by script."""

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field
from standardwebhooks import Webhook, WebhookVerificationError

from sandbox.pages.formats import when_exactly
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import Trace
from shared.runtime.clock import Clock

Target = Literal["notifications", "webhooks"]


class AnswerScript(BaseModel):
    """The body of `POST /script`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Target
    #: Status of the next answers; the messages are not taken. 404 and 409 mean 'retry later'.
    status: Annotated[int, Field(ge=300, le=599)] = 500
    times: Annotated[int, Field(ge=0, le=10_000)] = 1
    #: For notifications: Captured before Authorized is answered 409, as real shops do.
    strict_order: bool = False


class ScriptedAnswers:
    """Refusals that are left for each kind of message."""

    def __init__(self) -> None:
        self._left: Final[dict[Target, tuple[int, int]]] = {}
        self.strict_order = False

    def script(self, wanted: AnswerScript) -> None:
        """Replace the target's script."""
        self._left[wanted.target] = (wanted.status, wanted.times)
        if wanted.target == "notifications":
            self.strict_order = wanted.strict_order

    def next(self, target: Target) -> int | None:
        """Return the status that refuses the next message, and count it; None: take the message."""
        status, times = self._left.get(target, (0, 0))
        if not times:
            return None
        self._left[target] = (status, times - 1)
        return status

    @property
    def left(self) -> dict[Target, tuple[int, int]]:
        """Return the status of the coming refusals and their number, of each target that has some."""
        return {target: script for target, script in self._left.items() if script[1]}

    def reset(self) -> None:
        """Drop all scripts."""
        self._left.clear()
        self.strict_order = False


#: Older messages are dropped.
KEPT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One received message; `status` is the answer's."""

    at_ms: int
    is_verified: bool
    #: A message of this key was taken before.
    is_repeat: bool
    #: Verified, new, and not refused by script.
    is_taken: bool
    status: int
    #: Reason where it was not taken.
    because: str | None
    #: The message's fields.
    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": when_exactly(self.at_ms)}


class Inbox:
    """Requests of one kind, and the keys of those that were taken."""

    def __init__(self) -> None:
        self.received: Final[deque[Received]] = deque(maxlen=KEPT)
        self._taken: Final[dict[tuple[str, ...], None]] = {}

    def knows(self, *key: str) -> bool:
        """Return whether a message of this key was taken before."""
        return key in self._taken

    def take(self, *key: str) -> None:
        """Mark the key as taken."""
        self._taken[key] = None
        if len(self._taken) > KEPT:
            del self._taken[next(iter(self._taken))]

    def reset(self) -> None:
        self.received.clear()
        self._taken.clear()


_CAPTURED: Final = "118"
_AUTHORIZED: Final = "116"


@dataclass(frozen=True, slots=True)
class _Message:
    """A parsed message: its key among repeats, and the problem of its signature."""

    key: tuple[str, ...]
    content: dict[str, Any]
    problem: str | None


class MerchantServer:
    """Two inboxes: HiPay's notifications, the Cloud API's webhooks."""

    def __init__(self, passphrase: str, webhook_secrets: Sequence[str], clock: Clock, trace: Trace) -> None:
        self._passphrase: Final = passphrase
        self._webhook_secrets: Final = list(webhook_secrets)
        self._clock: Final = clock
        self._trace: Final = trace
        self.notifications: Final = Inbox()
        self.webhooks: Final = Inbox()
        self.answers: Final = ScriptedAnswers()

    def trust(self, secret: str) -> None:
        """Accept webhooks that are signed with this secret, too."""
        if secret not in self._webhook_secrets:
            self._webhook_secrets.append(secret)

    def take_notification(self, body: bytes, headers: Mapping[str, str]) -> Received:
        """Receive a notification of HiPay's; take it once per transaction, status and refunded amount.

        Every partial refund has the same status; the refunded amount grows with each.
        """
        content: dict[str, Any] = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        signed = is_signed_with(body, headers.get("x-allopass-signature"), self._passphrase)
        names = ("transaction_reference", "status", "refunded_amount")
        key = tuple(str(content.get(name, "")) for name in names)
        problem = None if signed else "X-ALLOPASS-SIGNATURE is missing or wrong"
        return self._receive("notifications", _Message(key, content, problem))

    def take_webhook(self, body: bytes, headers: Mapping[str, str]) -> Received:
        """Receive a webhook; take it once per webhook-id."""
        problem = webhook_problem(body, headers, self._webhook_secrets)
        try:
            read = json.loads(body)
        except (ValueError, RecursionError):
            read = None
        content: dict[str, Any] = read if isinstance(read, dict) else {}
        if problem is None and not isinstance(read, dict):
            problem = "not a JSON object"
        compatible = headers.get("x-hipay-signature")
        if compatible is not None and not self._is_signed_with_a_secret(body, compatible):
            problem = problem or "x-hipay-signature is wrong"
        reference = content.get("payment_id")
        state = content.get("state")
        detail = {
            "type": content.get("type"),
            "state": state if isinstance(state, str) else None,
            "webhook_id": headers.get("webhook-id"),
        }
        payment = reference if isinstance(reference, str) else None
        self._trace.record(System.CLOUD_API, System.MERCHANT, Step.WEBHOOK_SENT, payment, **detail)
        received = self._receive("webhooks", _Message((headers.get("webhook-id", ""),), content, problem))
        if received.status < 300:
            self._trace.record(
                System.MERCHANT, System.CLOUD_API, Step.WEBHOOK_ACKNOWLEDGED, payment, **detail
            )
        return received

    def reset(self) -> None:
        """Forget messages and scripts; the secrets stay."""
        self.notifications.reset()
        self.webhooks.reset()
        self.answers.reset()

    def _is_signed_with_a_secret(self, body: bytes, given: str) -> bool:
        return any(is_signed_with(body, given, secret) for secret in self._webhook_secrets)

    def _receive(self, target: Target, message: _Message) -> Received:
        inbox = self.notifications if target == "notifications" else self.webhooks
        is_repeat = message.problem is None and inbox.knows(*message.key)
        status, because = self._answer(target, message, inbox)
        is_taken = status == 200 and not is_repeat
        if is_taken:
            inbox.take(*message.key)
        received = Received(
            at_ms=self._clock.wall_ms(),
            is_verified=message.problem is None,
            is_repeat=is_repeat,
            is_taken=is_taken,
            status=status,
            because="came before" if is_repeat and because is None else because,
            content=message.content,
        )
        inbox.received.append(received)
        return received

    def _answer(self, target: Target, message: _Message, inbox: Inbox) -> tuple[int, str | None]:
        if message.problem is not None:
            return 403, message.problem
        scripted = self.answers.next(target)
        if scripted is not None:
            return scripted, "refused by script"
        if target == "notifications" and self._is_too_early(message, inbox):
            return 409, "Captured came before Authorized"
        return 200, None

    def _is_too_early(self, message: _Message, inbox: Inbox) -> bool:
        transaction, status, refunded = message.key
        authorised = (transaction, _AUTHORIZED, refunded)
        return self.answers.strict_order and status == _CAPTURED and not inbox.knows(*authorised)


def is_signed_with(body: bytes, given: str | None, passphrase: str) -> bool:
    """Return whether `given` is SHA-256, in lower-case hex, of the body followed by the passphrase.

    That is X-ALLOPASS-SIGNATURE of HiPay's notifications, and x-hipay-signature of the Cloud API's webhooks,
    whose passphrase is the endpoint's secret, its prefix included.
    """
    expected = hashlib.sha256(body + passphrase.encode()).hexdigest()
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())


def webhook_problem(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str | None:
    """Return the problem of a webhook's signature; None where a secret (`whsec_...`) verifies it."""
    problem = "no secret is known"
    for secret in secrets:
        try:
            Webhook(secret).verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            problem = str(error)
        else:
            return None
    return problem
