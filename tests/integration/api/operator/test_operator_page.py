"""The operators' page: log-in and its end, what each role may do, forms of others, hostile names, reasons."""

import re
from collections.abc import AsyncIterator
from html import escape, unescape
from typing import Any

import httpx
import pytest
from databases import Store
from payments import change
from running.api_alone import ApiAlone, Caller, on_sqlite
from running.operator_browser import Browser, logged_in
from wire.raw_http import basic

from api.operator import fleet_routes
from shared.payment.payment import Result
from shared.payment.states import Event
from shared.security.credentials import CredentialKind, Role
from shared.storage.terminals import drains
from shared.storage.terminals.heartbeats import Heartbeats

NAME = "<script>alert(1)</script>"
PAGES = ("", "/payments", "/terminals", "/merchants", "/deliveries", "/workers", "/audit")


@pytest.fixture
def api_settings() -> dict[str, Any]:
    """Serve the page, which is off by default."""
    return {"operator_page": True, "notify_allowed_networks": ("127.0.0.0/8",)}


@pytest.fixture
async def admin(api: ApiAlone) -> AsyncIterator[Browser]:
    browser = await logged_in(api, Role.ADMIN)
    yield browser
    await browser.client.aclose()


async def trail(api: ApiAlone, subject: str) -> list[dict[str, Any]]:
    operator = await api.caller(CredentialKind.OPERATOR, role=Role.READ)
    found: list[dict[str, Any]] = (await operator.get("/v1/operator/audit", subject=subject)).json()[
        "actions"
    ]
    return found


async def test_every_page_is_shown_to_an_operator_and_to_nobody_else(api: ApiAlone, admin: Browser) -> None:
    """Without a session it is the log-in; no page can be framed, or load anything from elsewhere."""
    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://localhost")
    async with stranger:
        for page in PAGES:
            sent_away = await stranger.get(f"/operator{page}")
            assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/operator/login")
            shown = await admin.client.get(f"/operator{page}")
            assert shown.status_code == 200, shown.text
            policy = shown.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "script" not in policy
            assert shown.headers["x-frame-options"] == "DENY"
            assert not re.findall(r'(?:src|href)="(?!/|\?|#)', shown.text)
        assert (await stranger.get("/operator/login")).status_code == 200
        for file in ("style.css", "operator.css", "icon.svg"):
            assert (await stranger.get(f"/operator/static/{file}")).status_code == 200


@on_sqlite
@pytest.mark.parametrize("api_settings", [{}])
async def test_the_page_is_off_by_default(api: ApiAlone) -> None:
    """There is nothing at its place."""
    client = httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://localhost")
    async with client:
        assert (await client.get("/operator")).status_code == 404
        assert (
            await client.post("/operator/login", data={"username": "a", "secret": "b"})
        ).status_code == 404


async def test_a_session_ends_at_log_out_after_a_while_and_with_its_credential(api: ApiAlone) -> None:
    """In every process at once; its cookie is for this page alone, and no script reads it."""
    browser = await logged_in(api, Role.ADMIN)
    cookie = dict(browser.client.cookies)
    await browser.send("/logout")
    browser.client.cookies.update(cookie)
    await browser.open(code=303)

    for statement in (
        "UPDATE operator_sessions SET seen_at = seen_at - 31 * 60000",
        "UPDATE operator_sessions SET created_at = created_at - 481 * 60000",
    ):
        other = await logged_in(api, Role.ADMIN)
        await other.open()
        await change(api.database, statement)
        await other.open(code=303)

    last = await logged_in(api, Role.ADMIN)
    operator = await api.caller(CredentialKind.OPERATOR)
    await operator.post(f"/v1/operator/credentials/{last.username}/revoke", {"reason": "left"})
    await last.open(code=303)


@on_sqlite
async def test_the_cookie_is_for_this_page_alone(api: ApiAlone) -> None:
    """No script reads it, no other site's request carries it, and it needs TLS but on this machine."""
    name, secret = await api.login(CredentialKind.OPERATOR)
    for host, secure in (("api.example", True), ("127.0.0.1:8080", False)):
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            answered = await client.post("/operator/login", data={"username": name, "secret": secret})
            cookie = answered.headers["set-cookie"].lower()
            assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/operator"))
            assert ("secure" in cookie) == secure


@on_sqlite
async def test_a_wrong_log_in_says_no_more_than_that(api: ApiAlone) -> None:
    """For a name that is known and one that is not, and for another kind of credential."""
    name, secret = await api.login(CredentialKind.OPERATOR)
    pos = await api.merchant()
    client = httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://localhost")
    async with client:
        answers = [
            await client.post("/operator/login", data={"username": each, "secret": "wrong"})
            for each in (name, "nobody", pos.username)
        ]
        assert {answered.status_code for answered in answers} == {401}
        assert len({answered.text for answered in answers}) == 1
        assert "set-cookie" not in answers[0].headers
        foreign = await client.post(
            "/operator/login",
            data={"username": name, "secret": secret},
            headers={"origin": "https://evil.example"},
        )
        assert foreign.status_code == 403


async def test_a_doubt_is_settled_on_the_page_with_its_reason(api: ApiAlone, admin: Browser) -> None:
    """From the first page to the audit trail; too early, and twice, it is told."""
    payment_id = await api.in_doubt(await api.merchant(), order_id=NAME)
    assert payment_id in await admin.open()
    path = f"/payments/{payment_id}"
    early = await admin.send(f"{path}/resolve", 409, decision="charged", reason="receipt 42")
    assert "too early" in early.text.lower()
    await api.age(1000)
    shown = await admin.open(path)
    assert "It was charged" in shown

    await admin.send(f"{path}/resolve", 400, decision="charged", reason=" ")
    await admin.send(f"{path}/resolve", 400, decision="maybe", reason="x")
    await admin.send(
        f"{path}/resolve", decision="charged", reason="receipt 42", authorisation_number="184117"
    )

    settled = await admin.open(path)
    assert "succeeded" in settled
    assert "184117" in settled
    assert NAME not in settled
    assert NAME in unescape(settled)
    (record,) = await trail(api, payment_id)
    assert (record["action"], record["by"], record["reason"]) == (
        "doubt_decided",
        admin.username,
        "receipt 42",
    )
    again = await admin.send(f"{path}/resolve", 409, decision="not_charged", reason="x")
    assert admin.username in unescape(again.text)


@on_sqlite
@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, "0" * 64),
        ({}, ""),
        ({"origin": "https://evil.example"}, None),
        ({"sec-fetch-site": "cross-site"}, None),
    ],
    ids=["another token", "no token", "another origin", "another site"],
)
async def test_a_form_of_another_site_does_nothing(
    api: ApiAlone, admin: Browser, headers: dict[str, str], token: str | None
) -> None:
    """Whatever cookie the browser sends with it."""
    pos = await api.merchant()
    path = f"/merchants/{pos.merchant_id}"
    admin.client.headers.update(headers)
    form = {"reason": "x"} if token is None else {"reason": "x", "form_token": token}

    await admin.send(f"{path}/suspend", 403, **form)

    assert "merchant_suspended" not in str(await trail(api, str(pos.merchant_id)))


@on_sqlite
async def test_what_a_role_may_not_do_is_not_offered_and_refused(api: ApiAlone) -> None:
    """The buttons are not there, and the forms are refused."""
    pos = await api.merchant()
    payment_id = await api.in_doubt(pos)
    await api.age(1000)
    reader, decider = await logged_in(api, Role.READ), await logged_in(api, Role.SETTLE)

    assert "It was charged" not in await reader.open(f"/payments/{payment_id}")
    await reader.send(f"/payments/{payment_id}/resolve", 403, decision="charged", reason="x")
    assert "It was charged" in await decider.open(f"/payments/{payment_id}")
    assert "Suspend" not in await decider.open(f"/merchants/{pos.merchant_id}")
    await decider.send(f"/merchants/{pos.merchant_id}/suspend", 403, reason="x")
    await decider.send(f"/payments/{payment_id}/resolve", decision="charged", reason="x")


async def test_a_merchant_is_suspended_its_secret_replaced_and_its_credential_revoked(
    api: ApiAlone, admin: Browser
) -> None:
    """The new secret is shown once; each is in the audit trail."""
    pos = await api.merchant()
    path = f"/merchants/{pos.merchant_id}"
    await admin.send(f"{path}/suspend", reason=NAME)
    shown = await admin.open(path)
    assert NAME not in shown
    await admin.send(f"{path}/resume", reason="paid")
    rotated = await admin.send(f"/credentials/{pos.username}/rotate", 200, reason="staff left")
    found = re.search(r'class="mono secret">(\S+)<', rotated.text)
    assert found is not None
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        headers = basic(pos.username, found[1])
        assert (await client.get("/v1/payments", headers=headers)).status_code == 200
    assert found[1] not in await admin.open(path)
    await admin.send(f"/credentials/{pos.username}/revoke", reason="stolen")
    reasons = {each["action"]: each.get("reason") for each in await trail(api, pos.username)}
    assert reasons["credential_rotated"] == "staff left"
    assert reasons["credential_revoked"] == "stolen"


@on_sqlite
async def test_a_worker_is_drained_on_the_page_by_an_administrator(
    api: ApiAlone, admin: Browser, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offered to no other role, and only for a worker that lives and was not asked yet."""
    heartbeats, counters = await Heartbeats.open(store.url), Heartbeats.counters

    async def counters_before_a_beat(looking: Heartbeats) -> dict[str, int]:
        found = await counters(looking)
        await heartbeats.beat("worker-1")
        return found

    monkeypatch.setattr(Heartbeats, "counters", counters_before_a_beat)
    monkeypatch.setattr(fleet_routes, "_LOOK_AGAIN_SECONDS", 0)
    decider, form, path = await logged_in(api, Role.SETTLE), "worker-1/drain", "/workers/worker-1/drain"
    await admin.send(path, 404, reason="x")
    await heartbeats.register("worker-1", "shop-server-1", "1.2.3")

    assert form not in await decider.open("/workers")
    await decider.send(path, 403, reason="x")
    offered = await admin.open("/workers")
    assert form in offered
    assert "shop-server-1" in offered
    await admin.send(path, 400, reason=" ")
    await admin.send(path, 403, reason="x", form_token="0" * 64)
    assert not await drains.is_asked(api.database, "worker-1")
    await admin.send(path, reason=NAME)

    asked = await admin.open("/workers")
    assert "drains" in asked
    assert form not in asked
    assert await drains.is_asked(api.database, "worker-1")
    (record,) = await trail(api, "worker-1")
    assert (record["action"], record["by"], record["reason"]) == ("worker_drained", admin.username, NAME)
    await heartbeats.close()


@on_sqlite
async def test_workers_that_died_are_on_the_first_page_and_others_are_not(
    api: ApiAlone, admin: Browser, store: Store
) -> None:
    """Whoever looks at the page once a day sees the deaths of the day."""
    heartbeats = await Heartbeats.open(store.url)
    await heartbeats.register("worker-old-release")
    await heartbeats.register("worker-alive", "shop-server-1", "1.2.3")
    await heartbeats.register("worker-dead", NAME, "1.2.3")
    assert "Every terminal worker lives" in await admin.open("")

    for worker, age_ms in (("worker-alive", 5_000), ("worker-dead", 15_000), ("worker-old-release", None)):
        await change(
            heartbeats._database,
            "UPDATE workers SET beaten_at = beaten_at - CAST(:age_ms AS BIGINT) WHERE id = :worker",
            worker=worker,
            age_ms=age_ms,
        )

    shown = await admin.open("")
    assert "worker-dead" in shown
    assert escape(NAME) in shown
    assert "worker-alive" not in shown
    assert "worker-old-release" not in shown
    await heartbeats.close()


@on_sqlite
async def test_a_payment_is_found_by_what_the_receipt_shows(
    api: ApiAlone, admin: Browser, pos: Caller
) -> None:
    """Order, amount, merchant; what is wrong in the form is told."""
    payment_id = await pos.order_async(order_id="order-77", amount=1234)

    for query in (
        "order=order-77",
        "amount=12.34",
        f"merchant={pos.merchant_id}",
        "state=queued",
        "amount=12,34",
    ):
        assert payment_id in await admin.open(f"/payments?{query}"), query
    assert payment_id not in await admin.open("/payments?amount=12.35")
    assert "No two equal charges" in await admin.open("/payments?twice=1&order=order-77")
    await api.settle(await api.claim(payment_id), Event.ANSWERED_DONE, Result(receipt="TICKET 000042"))
    assert payment_id in await admin.open("/payments?receipt=000042&order=order-77")
    assert payment_id not in await admin.open("/payments?receipt=000043&order=order-77")
    for query in ("card=12", "amount=1.234", "state=gone", "cursor=x", "receipt=4a"):
        await admin.open(f"/payments?{query}", 400)
    await admin.open("/payments/pay_1", 404)
    await admin.open("/merchants/mer_1", 404)
