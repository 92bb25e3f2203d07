"""Changes with If-Match: made only where the resource is still the one that the client has read."""

import asyncio
from typing import Any

import pytest
from running.api_alone import ApiAlone, Caller

from api.terminals.service import Registry
from shared.security.credentials import CredentialKind

ENTRY = {"host": "127.0.0.9", "label": "one"}


async def test_a_change_of_what_somebody_else_changed_since_is_a_412(api: ApiAlone, pos: Caller) -> None:
    """A terminal: the second of two that read it changes and removes nothing, until it has read it again."""
    path = "/v1/terminals/till"
    await pos.client.put(path, json=ENTRY)
    seen = (await pos.client.get(path)).headers["etag"]
    first = await pos.client.put(path, json={**ENTRY, "label": "two"}, headers={"if-match": seen})

    second = await pos.client.put(path, json={**ENTRY, "label": "three"}, headers={"if-match": seen})
    removed = await pos.client.delete(path, headers={"if-match": seen})
    read_again = await pos.client.get(path)

    assert first.status_code == 200
    for refused in (second, removed):
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            412,
            "changed.resource.precondition.failed",
        )
    assert read_again.json()["label"] == "two"
    tag = read_again.headers["etag"]
    assert (await pos.client.delete(path, headers={"if-match": f'"other", {tag}'})).status_code == 204
    assert (await pos.client.put(path, json=ENTRY, headers={"if-match": tag})).status_code == 412


async def test_the_condition_holds_for_endpoints_merchants_and_credentials(
    api: ApiAlone, pos: Caller
) -> None:
    """Each answer to GET names the value that a PATCH with its tag changes, once."""
    operator = await api.caller(CredentialKind.OPERATOR)
    endpoint = (await pos.post("/v1/webhooks/endpoints", {"url": "https://pos.example/hooks"})).json()
    for client, path, change in (
        (pos.client, f"/v1/webhooks/endpoints/{endpoint['id']}", {"description": "new"}),
        (operator.client, f"/v1/operator/merchants/{pos.merchant_id}", {"name": "New"}),
        (operator.client, f"/v1/operator/credentials/{pos.username}", {"label": "new"}),
    ):
        tag = {"if-match": (await client.get(path)).headers["etag"]}
        assert [(await client.patch(path, json=change, headers=tag)).status_code for _ in range(2)] == [
            200,
            412,
        ], path
        assert (await client.patch(path, json=change, headers={"if-match": "*"})).status_code == 200


async def test_of_two_changes_from_the_same_tag_at_once_one_is_made(
    api: ApiAlone, pos: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where both have compared it before either has written."""
    path = "/v1/terminals/till"
    await pos.client.put(path, json=ENTRY)
    tag = {"if-match": (await pos.client.get(path)).headers["etag"]}
    both_compared = asyncio.Barrier(2)
    locate = Registry._located

    async def located(*given: Any) -> Any:
        await both_compared.wait()
        return await locate(*given)

    monkeypatch.setattr(Registry, "_located", located)

    changed = await asyncio.gather(
        *(pos.client.put(path, json={**ENTRY, "label": label}, headers=tag) for label in "ab")
    )

    assert sorted(each.status_code for each in changed) == [200, 412]
