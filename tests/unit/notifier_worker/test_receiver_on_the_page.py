"""The receiver on the reference page works as it is printed there."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from notifier_worker.webhook_request import signed_headers
from shared.notification.kinds import envelope

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "webhooks.md"
SECRET, OTHER = "whsec_" + "A" * 32, "whsec_" + "B" * 32


@pytest.fixture
def receiver() -> dict[str, Any]:
    """Return what the page's module defines."""
    (text,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, Any] = {}
    exec(text, module)
    module["SECRET"] = SECRET
    return module


def sent(sequence: int, *secrets: str, age_seconds: float = 0) -> tuple[dict[str, str], bytes]:
    """Return a webhook of one payment."""
    shown = envelope(
        number=70 + sequence,
        payment_id="pay_1",
        sequence=sequence,
        type_="payment.in_doubt",
        at=0,
        body='{"payment_id": "pay_1"}',
    )
    return signed(f"dlv_1_{sequence}", shown, *secrets, age_seconds=age_seconds)


def sent_test(number: int) -> tuple[dict[str, str], bytes]:
    """Return the webhook of a test event."""
    shown = envelope(
        number=number,
        payment_id=None,
        sequence=1,
        type_="endpoint.test",
        at=0,
        body='{"endpoint_id": "whe_1"}',
    )
    return signed(f"dlv_test_{number}", shown)


def signed(
    delivery_id: str, shown: dict[str, Any], *secrets: str, age_seconds: float = 0
) -> tuple[dict[str, str], bytes]:
    body = json.dumps(shown).encode()
    headers = signed_headers(delivery_id, body, secrets or [SECRET], at_seconds=time.time() - age_seconds)
    return dict(headers), body


def test_it_accepts_our_webhooks_once_and_in_order(
    receiver: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A repeat is dropped, and an event that comes after its successor."""
    for sequence in (2, 2, 1, 3):
        assert receiver["receive"](*sent(sequence)) == 204

    assert capsys.readouterr().out.splitlines() == ["payment.in_doubt pay_1"] * 2


def test_it_accepts_every_test_event(receiver: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Each is about nothing but itself, and the first of its sequence."""
    for number in (7, 7, 8):
        assert receiver["receive"](*sent_test(number)) == 204

    assert capsys.readouterr().out.splitlines() == [
        "endpoint.test evt_test_7",
        "endpoint.test evt_test_8",
    ]


def test_it_knows_either_secret_during_a_rotation(receiver: dict[str, Any]) -> None:
    """The newest signs first, the earlier one beside it."""
    assert receiver["receive"](*sent(1, OTHER, SECRET)) == 204


@pytest.mark.parametrize("how", ["changed", "old", "wrong-secret"])
def test_it_refuses_any_other_webhook(receiver: dict[str, Any], how: str) -> None:
    """A changed byte, an old timestamp, another secret."""
    headers, body = sent(
        1, OTHER if how == "wrong-secret" else SECRET, age_seconds=400 if how == "old" else 0
    )

    with pytest.raises(WebhookVerificationError):
        receiver["receive"](headers, body.replace(b"pay_1", b"pay_2") if how == "changed" else body)
