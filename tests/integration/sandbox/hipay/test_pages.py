"""The Console's pages answer, escape foreign text, and load nothing from other sites."""

import re
from html.parser import HTMLParser

import pytest
from eventually import eventually
from running.sandbox_chain import Chain, order_notice

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVIL = '"><script>alert(1)</script><img src=http://192.0.2.1/x onerror=alert(1)>'


class _Tags(HTMLParser):
    """Parser that collects tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def _evil_transaction(chain: Chain) -> str:
    """Make a transaction with markup in every text; return its reference."""
    notice = order_notice(
        EVIL[:64],
        4000,
        order={
            "custom_data": {EVIL: EVIL, "nested": {"deep": [EVIL, {"k": EVIL}]}},
            "description": EVIL,
            "basket": [{"name": EVIL, "product_reference": EVIL, "unit_price": EVIL}],
        },
        customer={"first_name": EVIL, EVIL: EVIL},
        notify_url=f"{chain.urls['merchant']}/hipay/notifications?x={EVIL}",
    )
    await chain.notify_order(notice)
    answer = await chain.authorise(notice["reference"], 4000)
    await chain.complete(chain.ended(notice["reference"], 4000, answer, receipt=EVIL, contract=EVIL))
    await chain.authorise(None, 100, contract=EVIL)
    await chain.order(EVIL[:64], 100)
    (transaction,) = await eventually(chain.transactions)
    await eventually(chain.notified)
    return str(transaction["transaction_reference"])


async def test_every_page_answers_escapes_and_loads_nothing_from_elsewhere(chain: Chain) -> None:
    """With markup in order ids, custom data, receipts and contracts."""
    reference = await _evil_transaction(chain)
    pages = {
        "hipay": ["/", f"/?order_id={EVIL}", f"/console/transactions/{reference}", "/console/waiting"],
        "merchant": ["/"],
    }

    for system, paths in pages.items():
        for path in paths:
            answer = await chain.http.get(chain.urls[system] + path)
            assert answer.status_code == 200, path
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "<script>alert" not in answer.text, path
            _check(_Tags(answer.text).tags, set(chain.urls.values()))


def _check(tags: list[tuple[str, dict[str, str | None]]], own: set[str]) -> None:
    assert ("html", {"lang": "en"}) in tags
    for tag, attributes in tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        for name in ("src", "href", "action"):
            target = attributes.get(name) or "/"
            is_own = target.startswith(("/", "#")) or any(target.startswith(url) for url in own)
            assert is_own, (tag, attributes)
        assert tag != "script" or attributes.get("src", "").startswith("/static/")  # type: ignore[union-attr]


@pytest.mark.parametrize("system", ["hipay", "merchant"])
async def test_static_files_are_served_by_the_system_itself(chain: Chain, system: str) -> None:
    """And name nothing elsewhere."""
    for name in ("style.css", "live.js", "icon.svg"):
        answer = await chain.http.get(f"{chain.urls[system]}/static/pages/{name}")
        assert answer.status_code == 200
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", answer.text), name


async def test_the_console_cancels_and_refunds_by_its_forms(chain: Chain) -> None:
    """Cancel is offered when Authorized, refund when Captured; a wrong amount is reported."""
    reference = await chain.order("ORDER_1", 4000)
    await chain.authorise(reference, 4000)
    (authorised,) = await eventually(chain.transactions)
    page = f"{chain.urls['hipay']}/console/transactions/{authorised['transaction_reference']}"
    shown = (await chain.http.get(page)).text
    assert ("/cancel" in shown, "/refund" in shown) == (True, False)
    assert (await chain.http.post(f"{page}/refund", data={"amount": "1"})).status_code == 409
    assert (await chain.http.post(f"{page}/cancel")).status_code == 303
    assert await chain.statuses("ORDER_1") == [115]

    other = await chain.order("ORDER_2", 4000)
    await chain.collect(chain.ended(other, 4000))
    (captured,) = await eventually(lambda: chain.transactions(order_id="ORDER_2"))
    page = f"{chain.urls['hipay']}/console/transactions/{captured['transaction_reference']}"
    for wrong in ("", "0", "40.01", "1.001", "-5", "nan", "1e400", "1e999999"):
        answer = await chain.http.post(f"{page}/refund", data={"amount": wrong})
        assert answer.status_code == 409, wrong
        assert 'role="alert"' in answer.text
    assert (await chain.http.post(f"{page}/refund", data={"amount": "12,50"})).status_code == 303
    assert (await chain.http.post(f"{page}/cancel")).status_code == 409
    assert (await chain.get("hipay", "/transactions"))["totals"]["refunded_cents"] == 1250


async def test_a_page_of_another_site_can_make_a_browser_change_nothing(chain: Chain) -> None:
    """A cross-site write is refused before anything is read of it."""
    answer = await chain.http.post(f"{chain.urls['hipay']}/reset", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403


async def test_a_notification_can_be_sent_again(chain: Chain) -> None:
    """The merchant's server drops it as a repeat."""
    reference = await chain.order("ORDER_1", 4000)
    await chain.authorise(reference, 4000)
    await eventually(chain.notified)
    (one,) = await chain.transactions()
    page = f"{chain.urls['hipay']}/console/transactions/{one['transaction_reference']}"

    assert (await chain.http.post(f"{page}/notifications/0/again")).status_code == 303

    async def repeated() -> bool:
        return [one["is_repeat"] for one in await chain.get("merchant", "/hipay/notifications")] == [
            False,
            True,
        ]

    await eventually(repeated)
    assert (await chain.http.post(f"{page}/notifications/7/again")).status_code == 404


async def test_trace_events_are_streamed_as_they_pass(chain: Chain) -> None:
    """Server-sent events: kept events after a number, then new ones."""
    reference = await chain.order("ORDER_1", 4000)
    names = []
    url = f"{chain.urls['hipay']}/trace/stream?after=0&reference={reference}"
    async with chain.http.stream("GET", url) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                names.append(line)
            if len(names) == 2:
                break

    assert "order_notification" in names[0]
    assert "order_notification_acknowledged" in names[1]
