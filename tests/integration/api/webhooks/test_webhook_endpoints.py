"""Webhook endpoints over HTTP: registered, changed, disabled; secrets shown once and stored encrypted."""

from typing import Any

import pytest
from databases import Store
from payments import change, rows
from running.api_alone import ApiAlone, Caller, api_alone, on_sqlite
from wire.webhooks import ENDPOINTS, LOCAL, URL, cancelled_payment, deliveries_of, registered

from api.webhooks.models import WebhookEndpoint
from shared.security.credentials import CredentialKind, is_webhook_secret
from shared.security.encryption import SecretCipher
from shared.storage.db.schema.migrate import METADATA
from shared.storage.webhooks import delivery_contents, delivery_sweep

JSON = {"content-type": "application/json"}
SECRET_KEY = b"a key for tests, 32 characters long"


async def secrets_that_sign(api: ApiAlone, endpoint_id: str) -> list[str]:
    """Return the secrets that a notifier worker signs with, the newest first."""
    found = await delivery_contents.endpoints(api.database, [endpoint_id])
    return [
        SecretCipher(SECRET_KEY).decrypt(encrypted, endpoint_id)
        for encrypted in found[endpoint_id].encrypted_secrets
    ]


async def patch(pos: Caller, endpoint_id: str, body: dict[str, Any]) -> Any:
    return await pos.client.patch(f"{ENDPOINTS}/{endpoint_id}", json=body)


async def test_an_endpoint_is_registered_read_and_changed(pos: Caller) -> None:
    """Members that a change omits stay; types are listed in one order, each once."""
    types = ["payment.resolved", "payment.succeeded", "payment.resolved"]
    created = await registered(pos, description="Accounting", types=types)

    one = (await pos.get(f"{ENDPOINTS}/{created['id']}")).json()
    assert one == {name: value for name, value in created.items() if name != "secret"}
    assert (one["url"], one["description"], one["disabled"]) == (URL, "Accounting", False)
    assert one["types"] == ["payment.succeeded", "payment.resolved"]
    assert one.keys() <= WebhookEndpoint.model_fields.keys()

    changed = (await patch(pos, one["id"], {"url": URL + "/2", "types": []})).json()
    assert (changed["url"], changed["types"]) == (URL + "/2", [])
    assert changed["description"] == "Accounting"
    assert changed["changed_at"] >= one["changed_at"]


async def test_a_secret_is_shown_once_and_stored_encrypted_only(api: ApiAlone, pos: Caller) -> None:
    """No later answer holds it, nor does any table."""
    created = await registered(pos)
    rotated = (await pos.post(f"{ENDPOINTS}/{created['id']}/rotate-secret")).json()
    shown = [rotated["secret"], created["secret"]]

    assert all(is_webhook_secret(secret) for secret in shown)
    assert await secrets_that_sign(api, created["id"]) == shown
    answers = [
        await pos.get(f"{ENDPOINTS}/{created['id']}"),
        await pos.get(ENDPOINTS),
        await patch(pos, created["id"], {"description": "x"}),
    ]
    kept = [answered.text for answered in answers]
    for table in METADATA.sorted_tables:
        kept += [repr(tuple(row)) for row in await rows(api.database, f"SELECT * FROM {table.name}")]
    for secret in shown:
        assert not any(secret.removeprefix("whsec_") in text for text in kept)


async def test_a_merchants_endpoints_are_its_own(api: ApiAlone) -> None:
    """Read, change, rotate, test: another merchant's is a 404, and nothing changes."""
    one, other = await api.merchant(), await api.merchant()
    created = await registered(one)
    path = f"{ENDPOINTS}/{created['id']}"

    answers = [
        await other.get(path),
        await patch(other, created["id"], {"disabled": True}),
        await other.post(f"{path}/rotate-secret"),
        await other.post(f"{path}/test"),
    ]
    assert [answered.status_code for answered in answers] == [404] * 4
    assert (await other.get(ENDPOINTS)).json() == {"endpoints": []}
    assert (await one.get(path)).json()["disabled"] is False
    assert len(await secrets_that_sign(api, created["id"])) == 1
    assert await rows(api.database, "SELECT id FROM deliveries") == []
    operator = await api.caller(CredentialKind.OPERATOR)
    assert (await operator.get(path)).status_code == 403


async def test_endpoints_are_listed_page_by_page(pos: Caller) -> None:
    """Each endpoint comes once, the oldest first."""
    created = [(await registered(pos))["id"] for _ in range(5)]

    seen: list[str] = []
    query, page = {"limit": "2"}, {}
    for _ in range(3):
        page = (await pos.get(ENDPOINTS, **query)).json()
        seen += [endpoint["id"] for endpoint in page["endpoints"]]
        query["cursor"] = page.get("next", "")

    assert sorted(seen) == sorted(created)
    assert "next" not in page


async def test_an_earlier_secret_signs_until_its_overlap_ends(api: ApiAlone, pos: Caller) -> None:
    """The answer has the time of its end; after it the secret is deleted."""
    created = await registered(pos)
    path = f"{ENDPOINTS}/{created['id']}"

    second = (await pos.post(f"{path}/rotate-secret", {"overlap_seconds": 3600})).json()
    assert await secrets_that_sign(api, created["id"]) == [second["secret"], created["secret"]]
    newest, earlier = (await pos.get(path)).json()["secrets"]
    assert earlier["signs_until"] == second["earlier_secrets_sign_until"]
    assert "signs_until" not in newest

    await change(api.database, "UPDATE webhook_secrets SET ends_at = ends_at - 3600000")
    assert await secrets_that_sign(api, created["id"]) == [second["secret"]]
    third = (await pos.post(f"{path}/rotate-secret", {"overlap_seconds": 0})).json()
    assert await secrets_that_sign(api, created["id"]) == [third["secret"]]
    assert "earlier_secrets_sign_until" not in third
    assert len(await rows(api.database, "SELECT id FROM webhook_secrets")) == 1


async def test_a_handful_of_secrets_sign_at_the_same_time(pos: Caller) -> None:
    """The sixth waits for one to end, unless the earlier ones are ended with it."""
    path = f"{ENDPOINTS}/{(await registered(pos))['id']}/rotate-secret"
    for _ in range(4):
        assert (await pos.post(path)).status_code == 200

    refused = await pos.post(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (
        409, "secrets.webhook_endpoint.conflict",
    )  # fmt: skip
    assert (await pos.post(path, {"overlap_seconds": 0})).status_code == 200


@pytest.mark.parametrize("api_settings", [{"webhook_endpoint_limit": 2, **LOCAL}])
async def test_so_many_endpoints_are_enabled_at_most(pos: Caller, other: Caller) -> None:
    """Creating and enabling one more are a 409; a disabled one makes room."""
    first = await registered(pos)
    await registered(pos)
    await registered(other)

    refused = await pos.post(ENDPOINTS, {"url": URL})
    assert (refused.status_code, refused.json()["error"]["code"]) == (
        409, "limit.webhook_endpoint.conflict",
    )  # fmt: skip
    assert (await patch(pos, first["id"], {"disabled": False})).status_code == 200
    assert (await patch(pos, first["id"], {"disabled": True})).status_code == 200
    await registered(pos)
    assert (await patch(pos, first["id"], {"disabled": False})).status_code == 409
    assert (await patch(pos, first["id"], {"description": "still off"})).json()["disabled"] is True


async def test_endpoints_are_counted_whole(store: Store) -> None:
    """Disabled endpoints count, too; a merchant at the limit changes and enables one of them."""
    limits = {"webhook_endpoint_limit": 2, "webhook_endpoint_total_limit": 3}
    async with api_alone(store, **limits, **LOCAL) as api:
        pos, other = await api.merchant(), await api.merchant()
        ids = []
        for _ in range(3):
            ids.append((await registered(pos))["id"])
            assert (await patch(pos, ids[-1], {"disabled": True})).status_code == 200

        refused = await pos.post(ENDPOINTS, {"url": URL})

        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "limit.webhook_endpoint.conflict"
        assert "disabled ones counted" in refused.json()["error"]["description"]
        assert (await patch(pos, ids[0], {"url": URL, "disabled": False})).status_code == 200
        await registered(other)


async def test_disabling_ends_what_waits_and_enabling_begins_anew(api: ApiAlone, pos: Caller) -> None:
    """A disabled endpoint gets no deliveries; those that waited stay dead until they are replayed."""
    endpoint, other = await registered(pos), await registered(pos)
    await cancelled_payment(pos)

    shown = (await patch(pos, endpoint["id"], {"disabled": True})).json()
    assert (shown["disabled"], shown["disabled_because"]) == (True, "merchant")
    await cancelled_payment(pos)
    assert await delivery_sweep.end_deliveries_of_disabled(api.database) == 1
    (ended,) = await deliveries_of(pos, endpoint=endpoint["id"])
    assert (ended["state"], ended["reason"]) == ("dead", "endpoint_disabled")
    assert [one["state"] for one in await deliveries_of(pos, endpoint=other["id"])] == ["waiting"] * 2

    shown = (await patch(pos, endpoint["id"], {"disabled": False})).json()
    assert shown["disabled"] is False
    assert "disabled_at" not in shown
    await cancelled_payment(pos)
    states = [one["state"] for one in await deliveries_of(pos, endpoint=endpoint["id"])]
    assert states == ["waiting", "dead"]


async def test_an_endpoint_that_is_gone_says_so_until_it_is_enabled(api: ApiAlone, pos: Caller) -> None:
    """A change of its address alone does not enable it."""
    endpoint = await registered(pos)
    await change(api.database, "UPDATE webhook_endpoints SET disabled_at = {now}, disabled_because = 'gone'")

    for body in ({"url": URL + "/new"}, {"disabled": True}):
        assert (await patch(pos, endpoint["id"], body)).json()["disabled_because"] == "gone"
    assert (await patch(pos, endpoint["id"], {"disabled": False})).json()["disabled"] is False


@pytest.mark.parametrize("body", [{"url": URL + "/new"}, {"disabled": False}], ids=["moved", "enabled"])
async def test_a_pause_after_failures_ends_where_the_cause_may_have_gone(
    api: ApiAlone, pos: Caller, body: dict[str, Any]
) -> None:
    """A new address or the merchant's enabling ends it; until then the answers show the pause."""
    endpoint = await registered(pos)
    await change(
        api.database,
        "INSERT INTO delivery_targets (id, failures, paused_until) VALUES (:id, 7, {now} + 600000)",
        id=endpoint["id"],
    )

    shown = (await patch(pos, endpoint["id"], {"url": URL, "description": "x"})).json()
    assert shown["failures"] == 7
    assert "paused_until" in shown
    shown = (await patch(pos, endpoint["id"], body)).json()
    assert shown["failures"] == 0
    assert "paused_until" not in shown


async def test_a_test_event_goes_to_its_endpoint_alone(api: ApiAlone, pos: Caller) -> None:
    """It ignores the endpoint's types; a disabled endpoint gets neither event nor delivery."""
    endpoint = await registered(pos, types=["payment.refused"])
    await registered(pos)

    sent = await pos.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    assert sent.status_code == 202
    (delivery,) = await deliveries_of(pos)
    assert delivery["id"] == sent.json()["delivery_id"]
    assert (delivery["endpoint_id"], delivery["type"]) == (endpoint["id"], "endpoint.test")
    assert "payment_id" not in delivery
    whole = (await pos.get(f"/v1/webhooks/deliveries/{delivery['id']}")).json()
    assert whole["event"]["event_id"] == delivery["event_id"]
    assert whole["event"]["endpoint_id"] == endpoint["id"]
    assert delivery["event_id"].startswith("evt_test_")

    await patch(pos, endpoint["id"], {"disabled": True})
    refused = await pos.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    assert refused.json()["error"]["code"] == "disabled.webhook_endpoint.conflict"
    assert len(await rows(api.database, "SELECT number FROM events")) == 1


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no-url": ({}, "url", "required"),
    "url-number": ({"url": 1}, "url", "type"),
    "http": ({"url": "http://8.8.8.8/"}, "url", "format"),
    "no-host": ({"url": "https:///x"}, "url", "format"),
    "user": ({"url": "https://me@8.8.8.8/"}, "url", "format"),
    "private": ({"url": "https://10.0.0.1/"}, "url", "format"),
    "metadata": ({"url": "https://169.254.169.254/latest"}, "url", "format"),
    "long": ({"url": "https://8.8.8.8/" + "x" * 2048}, "url", "maxLength"),
    "nul": ({"url": "https://8.8.8.8/\0"}, "url", "pattern"),
    "type": ({"url": "https://8.8.8.8/", "types": ["payment.paid"]}, "types[0]", "enum"),
    "test-type": ({"url": "https://8.8.8.8/", "types": ["endpoint.test"]}, "types[0]", "enum"),
    "misspelt": ({"url": "https://8.8.8.8/", "type": []}, "type", "additionalProperties"),
}


@pytest.mark.parametrize(("body", "path", "keyword"), WRONG.values(), ids=WRONG.keys())
@on_sqlite
@pytest.mark.parametrize("api_settings", [{}])
async def test_a_wrong_member_is_named_and_nothing_is_stored(
    api: ApiAlone, pos: Caller, body: dict[str, Any], path: str, keyword: str
) -> None:
    """A 400 names the member; http and private addresses are wrong unless a setting allows them."""
    answered = await pos.post(ENDPOINTS, body)

    assert answered.status_code == 400, answered.text
    error = answered.json()["error"]
    assert (error["details"], error["code"]) == ({"path": path}, f"{keyword}.openapi.requestValidation")
    assert await rows(api.database, "SELECT id FROM webhook_endpoints") == []


@on_sqlite
@pytest.mark.parametrize("api_settings", [{}])
async def test_a_change_is_validated_as_strictly(pos: Caller) -> None:
    """A wrong address, an unknown member and a wrong overlap are a 400."""
    endpoint = await registered(pos, url="https://8.8.8.8/")
    path = f"{ENDPOINTS}/{endpoint['id']}"

    for body, wrong in (({"url": "https://127.0.0.1/"}, "url"), ({"disable": True}, "disable")):
        answered = await patch(pos, endpoint["id"], body)
        assert (answered.status_code, answered.json()["error"]["details"]) == (400, {"path": wrong})
    for seconds in (-1, 604_801, "1"):
        answered = await pos.post(f"{path}/rotate-secret", {"overlap_seconds": seconds})
        assert answered.status_code == 400
    answered = await pos.client.post(f"{path}/rotate-secret", content=b"null", headers=JSON)
    assert answered.json()["error"]["code"] == "type.openapi.requestValidation"
    assert (await pos.get(path)).json() == {
        name: value for name, value in endpoint.items() if name != "secret"
    }
