"""The Python client's other calls: retries, lists, the feed, webhooks."""

import json
from datetime import UTC, datetime

import pytest
from cloud_terminal_client import InvalidSignature, NoAnswer, NotFound, UnreadableAnswer, WebhookVerifier
from cloud_terminal_client.exchange import Answer, Request
from cloud_terminal_client.retrying import answered
from in_memory.client_calls import LOST, NOT_SENT, ByHand, error_body, reply_with
from standardwebhooks import Webhook

READ = Request("GET", "/v1/payments/pay_1")
WRITE = Request("POST", "/v1/webhooks/endpoints", repeatable=False)
FOUND = reply_with(200, {"payment": {}})
AWAY = reply_with(503, error_body("busy.connector.service.unavailable"), retry_after="3")
SECRET, OTHER_SECRET = "whsec_c2VjcmV0IG9mIHRlc3Rz", "whsec_b3RoZXIgc2VjcmV0"
EVENT = {
    "type": "payment.succeeded",
    "event_id": "evt_1",
    "sequence": 1,
    "occurred_at": "2026-03-05T12:06:58.123Z",
    "payment_id": "pay_1",
    "order_id": "ORDER_1",
    "state": "succeeded",
    "safe_to_retry": False,
}
SENT = datetime(2026, 3, 5, 12, 7, tzinfo=UTC)


def test_a_read_is_repeated_until_it_is_answered() -> None:
    """Whatever came in between: no connection, no answer, a server that is away for a moment."""
    play = ByHand([NOT_SENT, LOST, AWAY, FOUND])

    assert play.run(lambda around: answered(READ, around)) is FOUND
    assert play.pauses == [0.5, 1, 3]


def test_a_write_that_may_have_arrived_is_not_repeated() -> None:
    """It would register a second endpoint; where nothing was done it is sent again."""
    play = ByHand([NOT_SENT, AWAY, LOST])
    with pytest.raises(NoAnswer):
        play.run(lambda around: answered(WRITE, around))


def test_an_error_keeps_code_and_request_id() -> None:
    missing = reply_with(404, error_body("unknown.resource.not.found"), x_request_id="req-1")
    with pytest.raises(NotFound) as raised:
        ByHand([missing]).run(lambda around: answered(READ, around))

    assert (raised.value.code, raised.value.request_id) == ("unknown.resource.not.found", "req-1")


def test_an_answer_of_another_server_is_named_so() -> None:
    with pytest.raises(UnreadableAnswer):
        ByHand([reply_with(404, b"<html>")]).run(lambda around: answered(READ, around))


def test_retry_after_may_be_a_date() -> None:
    late = Answer(
        503, {"date": "Thu, 05 Mar 2026 12:00:00 GMT", "retry-after": "Thu, 05 Mar 2026 12:00:20 GMT"}, b""
    )

    assert late.retry_after_seconds() == 20


def signed(secret: str = SECRET) -> dict[str, str]:
    signature = Webhook(secret).sign("dlv_1", SENT, json.dumps(EVENT))
    return {
        "Webhook-Id": "dlv_1",
        "Webhook-Timestamp": str(int(SENT.timestamp())),
        "Webhook-Signature": signature,
    }


def verifier(*secrets: str, after_seconds: float = 1) -> WebhookVerifier:
    return WebhookVerifier(*secrets, now=lambda: SENT.timestamp() + after_seconds)


def test_a_webhook_is_verified_with_the_library_that_signs() -> None:
    """Any of the secrets may have signed, so that one can replace another."""
    event = verifier(OTHER_SECRET, SECRET).verify(signed(), json.dumps(EVENT).encode())

    assert (event.type, event.payment_id, event.delivery_id) == ("payment.succeeded", "pay_1", "dlv_1")


@pytest.mark.parametrize("after_seconds", [301, -301])
def test_a_webhook_that_is_too_old_or_too_new_is_refused(after_seconds: float) -> None:
    with pytest.raises(InvalidSignature):
        verifier(SECRET, after_seconds=after_seconds).verify(signed(), json.dumps(EVENT).encode())


def test_a_webhook_that_somebody_changed_is_refused() -> None:
    """Another body, another secret, a missing header, a time of another message."""
    body = json.dumps(EVENT).encode()
    headers = signed()
    for given, content in (
        (headers, body.replace(b"ORDER_1", b"ORDER_2")),
        (signed(OTHER_SECRET), body),
        ({name: value for name, value in headers.items() if name != "Webhook-Id"}, body),
        ({**headers, "Webhook-Timestamp": str(int(SENT.timestamp()) + 1)}, body),
        ({**headers, "Webhook-Signature": "v1,ü v2,x"}, body),
    ):
        with pytest.raises(InvalidSignature):
            verifier(SECRET).verify(given, content)
