"""What an earlier start of the sandbox on the same database has left behind."""

from typing import Final

import httpx

#: As `CloudApi.register_webhooks` writes it: other endpoints are somebody's own.
_DESCRIPTION: Final = "The sandbox's shop"
_PAGE: Final = 100


async def disable_other_endpoints(
    http: httpx.AsyncClient, api_url: str, credential: tuple[str, str], url: str
) -> None:
    """Disable the shop's webhook endpoints but the one at `url`: with free ports each start has another.

    Raises httpx.HTTPError.
    """
    every = f"{api_url}/v1/webhooks/endpoints"
    cursor: dict[str, str] = {}
    earlier: list[str] = []
    while True:
        answer = await http.get(every, params={"limit": _PAGE, **cursor}, auth=credential)
        page = answer.raise_for_status().json()
        earlier += [
            one["id"]
            for one in page["endpoints"]
            if one["url"] != url and one["description"] == _DESCRIPTION and not one["disabled"]
        ]
        if not page.get("next"):
            break
        cursor = {"cursor": page["next"]}
    for endpoint_id in earlier:
        changed = await http.patch(f"{every}/{endpoint_id}", json={"disabled": True}, auth=credential)
        changed.raise_for_status()
