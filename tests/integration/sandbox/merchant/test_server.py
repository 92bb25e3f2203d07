"""The merchant's server takes a signed message once."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from running.sandbox_chain import ORDERS, PASSPHRASE, Chain
from standardwebhooks import Webhook

from sandbox.hipay.rules.notification import encode, signature

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]


async def _notify(
    chain: Chain, status: str = "116", *, refunded: str = "0.00", passphrase: str = PASSPHRASE
) -> httpx.Response:
    body = encode(
        [
            ("transaction_reference", "000000000001"),
            ("status", status),
            ("refunded_amount", refunded),
            ("order[id]", "ORDER_1"),
        ]
    )
    return await chain.http.post(
        chain.urls["merchant"] + "/hipay/notifications",
        content=body,
        headers={"X-ALLOPASS-SIGNATURE": signature(body, passphrase)},
    )


async def _webhook(
    chain: Chain, name: str = "evt_1", secret: str = ORDERS.secret, **headers: str
) -> httpx.Response:
    body, now = json.dumps({"type": "payment.succeeded", "payment_id": "pay_1"}), datetime.now(UTC)
    signed = {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(name, now, body),
        "x-hipay-signature": signature(body.encode(), secret),
    }
    return await chain.http.post(
        chain.urls["merchant"] + "/webhooks", content=body, headers={**signed, **headers}
    )


async def test_the_page_makes_the_server_fail_and_says_so(chain: Chain) -> None:
    """Its form refuses the next messages of one kind, or takes them again; nonsense changes nothing."""
    page = chain.urls["merchant"]
    form = {"target": "webhooks", "status": "503", "times": "2"}
    assert (await chain.http.post(f"{page}/fail", data=form)).status_code == 303
    nonsense = {"target": "<b>", "status": "99", "times": "x"}
    assert (await chain.http.post(f"{page}/fail", data=nonsense)).status_code == 303

    refused = await _webhook(chain)
    shown = (await chain.http.get(page)).text
    await chain.http.post(f"{page}/fail", data={"target": "webhooks", "times": "0"})
    taken = await _webhook(chain)

    assert (refused.status_code, taken.status_code) == (503, 200)
    assert "The next 1 webhooks are answered 503" in shown
    assert (await _notify(chain)).status_code == 200
    assert "are answered" not in (await chain.http.get(page)).text


async def test_a_notification_is_taken_once_a_status(chain: Chain) -> None:
    """A repeat is acknowledged and dropped, a later status is taken."""
    answers = [(await _notify(chain, status)).json() for status in ("116", "116", "118")]

    assert [answer["taken"] for answer in answers] == [True, False, True]
    received = await chain.get("merchant", "/hipay/notifications")
    assert [one["is_repeat"] for one in received] == [False, True, False]
    assert all(one["status"] == 200 for one in received)


async def test_a_second_partial_refund_is_taken(chain: Chain) -> None:
    """It has the first one's status; the refunded amount distinguishes it from a repeat."""
    answers = [(await _notify(chain, "126", refunded=euros)).json() for euros in ("5.00", "5.00", "12.00")]

    assert [answer["taken"] for answer in answers] == [True, False, True]


async def test_a_forged_notification_is_refused_and_shown(chain: Chain) -> None:
    """403, and it does not count as the first of its kind."""
    forged = await _notify(chain, passphrase="another")
    missing = await chain.http.post(chain.urls["merchant"] + "/hipay/notifications", content=b"status=118")

    assert (forged.status_code, missing.status_code) == (403, 403)
    assert (await _notify(chain)).json()["taken"]
    received = await chain.get("merchant", "/hipay/notifications")
    assert [one["is_verified"] for one in received] == [False, False, True]


async def test_scripted_refusals_come_first_and_then_the_message_is_taken(chain: Chain) -> None:
    """500 twice; a refused message does not count as taken."""
    await chain.post("merchant", "/script", {"target": "notifications", "status": 500, "times": 2})

    answers = [(await _notify(chain)).status_code for _ in range(3)]

    assert answers == [500, 500, 200]
    assert (await chain.get("merchant", "/hipay/notifications"))[-1]["is_taken"]


async def test_a_strict_shop_wants_authorized_before_captured(chain: Chain) -> None:
    """409 until then, as some shops answer."""
    await chain.post("merchant", "/script", {"target": "notifications", "times": 0, "strict_order": True})

    answers = [(await _notify(chain, status)).status_code for status in ("118", "116", "118")]

    assert answers == [409, 200, 200]


async def test_a_webhook_is_taken_once_an_id(chain: Chain) -> None:
    """Standard Webhooks' headers, and x-hipay-signature where it is there."""
    first, again, other = await _webhook(chain), await _webhook(chain), await _webhook(chain, "evt_2")

    assert [one.json()["taken"] for one in (first, again, other)] == [True, False, True]


async def test_a_webhook_with_a_wrong_signature_is_refused(chain: Chain) -> None:
    """Either signature, a mangled one, an old one."""
    answers = [
        await _webhook(chain, secret="whsec_" + "b" * 32),
        await _webhook(chain, **{"x-hipay-signature": "0" * 64}),
        await _webhook(chain, **{"webhook-signature": "nonsense"}),
        await _webhook(chain, **{"webhook-timestamp": "1000000000"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert not any(one["is_verified"] for one in await chain.get("merchant", "/webhooks"))


async def test_a_secret_of_a_registered_endpoint_is_accepted(chain: Chain) -> None:
    """The API makes one at registration; the merchant's server gets it."""
    secret = "whsec_" + "c" * 32
    await chain.post("merchant", "/secrets", {"secret": secret})

    assert (await _webhook(chain, secret=secret)).status_code == 200
