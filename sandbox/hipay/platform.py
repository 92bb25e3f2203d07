"""The platform: its ledger, and the outboxes to the merchant's server and to the Cloud API."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from sandbox.gateway.messages import Push as PushBody
from sandbox.hipay.bodies import OrderNotification, push_of
from sandbox.hipay.rules import evidence, notification
from sandbox.hipay.rules.evidence import Report
from sandbox.hipay.rules.ledger import Ledger
from sandbox.hipay.rules.order_and_push import Kind
from sandbox.hipay.rules.statuses import NAMES, Status
from sandbox.hipay.rules.transaction import Action, PushMatched, StatusChanged
from sandbox.hipay.settings import EvidenceTarget, Merchant
from sandbox.outbox.outbox import AttemptResult, Decision, Message, Outbox, post
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import Trace
from shared.runtime.clock import Clock

NOTIFICATION_TIMEOUT_SECONDS: Final = 10.0
EVIDENCE_TIMEOUT_SECONDS: Final = 10.0
_KEPT: Final = 10_000
#: Request Timeout, Too Many Requests.
_TRANSIENT: Final = (408, 429)

_PUSHED: Final = {
    Kind.AUTHORISATION: (Step.AUTHORISATION_PUSHED, Step.AUTHORISATION_PUSH_ACKNOWLEDGED),
    Kind.COMPLETION: (Step.COMPLETION_PUSHED, Step.COMPLETION_PUSH_ACKNOWLEDGED),
    Kind.COLLECTION: (Step.COLLECTION_PUSHED, Step.COLLECTION_PUSH_ACKNOWLEDGED),
}


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification to the merchant: the transaction as it was with this status."""

    transaction_reference: str
    payment_id: str
    status: Status
    url: str
    body: bytes


class Platform:
    """Receiver of orders and pushes that keeps the ledger and notifies merchant and Cloud API."""

    def __init__(
        self,
        *,
        merchant: Merchant,
        evidence_target: EvidenceTarget | None,
        http: httpx.AsyncClient,
        clock: Clock,
        trace: Trace,
        retry_seconds: Sequence[float],
    ) -> None:
        self._registered: Final = merchant
        self._merchant = merchant
        self._target: Final = evidence_target
        self._http: Final = http
        self._clock: Final = clock
        self._trace: Final = trace
        # Seconds since 1970 and a count: twelve digits, unique over restarts.
        self._last_reference = clock.wall_ms() // 1000 * 100
        self.ledger: Final = Ledger(self._next_reference)
        self.notifications: Final = Outbox[Notification](self._notify, clock, retry_seconds=retry_seconds)
        self.evidence: Final = Outbox[Report](self._report, clock, retry_seconds=retry_seconds)
        #: All received messages, repeats too, as JSON.
        self.received: Final[deque[dict[str, Any]]] = deque(maxlen=_KEPT)
        self._message_ids: Final[dict[str, None]] = {}

    def take_order(self, body: OrderNotification, content: dict[str, Any], message_id: str) -> bool:
        """Take a notification of an authenticated sender; return whether it is new."""
        now_ms = self._clock.wall_ms()
        is_new = message_id not in self._message_ids and body.reference not in self.ledger.orders
        self._note("order", now_ms, is_new=is_new, reference=body.reference, message_id=message_id)
        detail = {
            "order_id": body.order.order_id,
            "operation": body.operation,
            "amount_cents": body.order.price.amount,
            "is_new": is_new,
        }
        self._trace.record(System.CLOUD_API, System.HIPAY, Step.ORDER_NOTIFICATION, body.reference, **detail)
        if is_new:
            self._message_ids[message_id] = None
            if len(self._message_ids) > _KEPT:
                del self._message_ids[next(iter(self._message_ids))]
            self._carry_out(self.ledger.take_order(body.notice(content), now_ms))
        self._trace.record(
            System.HIPAY, System.CLOUD_API, Step.ORDER_NOTIFICATION_ACKNOWLEDGED, body.reference, **detail
        )
        return is_new

    def take_push(self, body: PushBody) -> bool:
        """Take a record of the gateway; return whether it is new."""
        now_ms = self._clock.wall_ms()
        push = push_of(body)
        is_new = not self.ledger.knows(push.record_id)
        self._note(push.kind, now_ms, is_new=is_new, reference=push.reference, record_id=push.record_id)
        came, acknowledged = _PUSHED[push.kind]
        detail = {"record_id": push.record_id, "is_new": is_new, "amount_cents": push.amount_cents}
        self._trace.record(System.PRELUDD, System.HIPAY, came, push.reference, **detail)
        if is_new:
            report = evidence.report_of_push(push)
            if report is not None:
                self._report_to_api(report)
            self._carry_out(self.ledger.take_push(push, now_ms))
        self._trace.record(System.HIPAY, System.PRELUDD, acknowledged, push.reference, **detail)
        return is_new

    def notifications_of(self, reference: str) -> list[Message[Notification]]:
        """Return the merchant's notifications of one transaction, the oldest first."""
        return [one for one in self.notifications.messages if one.content.transaction_reference == reference]

    def cancel(self, reference: str) -> None:
        """Cancel from the Console. Raises KeyError and NotAllowed."""
        self._carry_out(self.ledger.cancel(reference, self._clock.wall_ms()))

    def refund(self, reference: str, amount_cents: int) -> None:
        """Refund from the Console. Raises KeyError and NotAllowed."""
        self._carry_out(self.ledger.refund(reference, amount_cents, self._clock.wall_ms()))

    @property
    def merchant(self) -> Merchant:
        """Return the merchant's current settings."""
        return self._merchant

    def set_merchant(self, settings: Merchant) -> None:
        """Use these settings for notifications until the next reset."""
        self._merchant = settings

    async def reset(self) -> None:
        """Forget everything and restore the settings; references go on."""
        self._merchant = self._registered
        await self.notifications.reset()
        await self.evidence.reset()
        self.ledger.clear()
        self.received.clear()
        self._message_ids.clear()

    def _next_reference(self) -> str:
        self._last_reference += 1
        return f"{self._last_reference:012d}"

    def _note(self, what: str, at_ms: int, **detail: Any) -> None:
        self.received.append({"what": what, "at_ms": at_ms, **detail})

    def _carry_out(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, StatusChanged):
                self._status_changed(action)
            else:
                self._push_matched(action)

    def _push_matched(self, action: PushMatched) -> None:
        report = evidence.report_of_match(action.push, action.match)
        if report is not None:
            self._report_to_api(report)

    def _status_changed(self, action: StatusChanged) -> None:
        transaction = action.transaction
        self._trace.record(
            System.HIPAY,
            System.HIPAY,
            Step.STATUS_CHANGED,
            transaction.order.reference,
            transaction_reference=transaction.reference,
            status=int(transaction.status),
            message=NAMES[transaction.status],
        )
        wanted = self._merchant.statuses
        if wanted is not None and transaction.status not in wanted:
            return
        pairs = notification.notification(
            transaction,
            action.operation,
            mid=self._merchant.mid,
            sends_operation=self._merchant.sends_operation,
            sends_custom_data=self._merchant.sends_custom_data,
        )
        named = transaction.order.content.get("pos_technical_info", {}).get("notify_url")
        self.notifications.put(
            Notification(
                transaction_reference=transaction.reference,
                payment_id=transaction.order.reference,
                status=transaction.status,
                url=named if isinstance(named, str) and named else self._merchant.notify_url,
                body=notification.encode(pairs),
            )
        )

    async def _notify(self, sent: Notification) -> AttemptResult:
        detail = {"transaction_reference": sent.transaction_reference, "status": int(sent.status)}
        self._trace.record(System.HIPAY, System.MERCHANT, Step.MERCHANT_NOTIFIED, sent.payment_id, **detail)
        result = await post(
            self._http,
            sent.url,
            timeout_seconds=NOTIFICATION_TIMEOUT_SECONDS,
            content=sent.body,
            headers={
                "Content-Type": notification.CONTENT_TYPE,
                notification.SIGNATURE_HEADER: notification.signature(sent.body, self._merchant.passphrase),
            },
        )
        if result.decision is Decision.ACKNOWLEDGED:
            self._trace.record(
                System.MERCHANT, System.HIPAY, Step.MERCHANT_ACKNOWLEDGED, sent.payment_id, **detail
            )
        return result

    def _report_to_api(self, report: Report) -> None:
        if self._target is not None:
            self.evidence.put(report)

    async def _report(self, report: Report) -> AttemptResult:
        target = self._target
        assert target is not None
        detail = {"record_id": report.body["record_id"], "status": report.body["status"]}
        self._trace.record(
            System.HIPAY, System.CLOUD_API, Step.EVIDENCE_REPORTED, report.payment_id, **detail
        )
        result = await post(
            self._http,
            f"{target.api_url}/v1/gateway/evidence",
            timeout_seconds=EVIDENCE_TIMEOUT_SECONDS,
            json=report.body,
            auth=(target.username, target.password),
        )
        if result.decision is Decision.ACKNOWLEDGED:
            self._trace.record(
                System.CLOUD_API, System.HIPAY, Step.EVIDENCE_TAKEN, report.payment_id, **detail
            )
        elif result.status is not None and result.status < 500 and result.status not in _TRANSIENT:
            # An unknown payment, or another content under this record's name: retries would not help.
            return AttemptResult(Decision.GIVE_UP, result.status, result.detail)
        return result
