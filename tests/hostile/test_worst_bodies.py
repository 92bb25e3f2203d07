"""Bodies of 256 KiB of any shape to every route that takes one: nobody else waits."""

import asyncio
import json

import pytest
from running.attacks import Target
from wire.raw_http import raw_connection, request
from wire.worst_bodies import BYTES, HERE, ROUTES, Route, order_with, shapes, worst_files

ATTACKERS = 4


async def send_all(port: int, requests: list[bytes]) -> set[int]:
    """Send them one after the other on each of several connections; return the statuses."""
    statuses: set[int] = set()

    async def send() -> None:
        async with raw_connection(port) as connection:
            for sent in requests:
                await connection.send(sent)
                statuses.add((await connection.answer())[0])

    await asyncio.gather(*(send() for _ in range(ATTACKERS)))
    return statuses


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_the_worst_body_holds_nobody_up(target: Target, route: Route) -> None:
    """Nobody's health check waits, no body is a 500."""
    requests = list(route.requests(target.logins[route.login]))

    async with target.attacked(f"worst bodies: {route.method} {route.path}"):
        statuses = await send_all(target.port, requests)

    assert not [status for status in statuses if status >= 500 and status != 503], statuses


async def test_the_worst_file_of_terminals_holds_nobody_up(target: Target) -> None:
    """Columns, rows, cells and quotes without number."""
    headers = {**target.logins["merchant"], "Content-Type": "text/csv"}
    requests = [request("POST", "/v1/terminals/import", file.encode(), headers) for file in worst_files()]

    async with target.attacked("worst files: POST /v1/terminals/import"):
        statuses = await send_all(target.port, requests)

    assert statuses == {400}


async def test_the_largest_order_is_shown_again_without_holding_anybody_up(target: Target) -> None:
    """Accepted, stored, cancelled, read: its echo is as large as it is."""
    login = target.logins["merchant"]

    async def pay(number: int) -> None:
        async with raw_connection(target.port) as connection:
            for shape in ("quotes", "surrogates", "digits"):
                order = order_with("order.custom_data.free")
                order["order"]["order_id"] = f"{shape}-{number}"
                body = json.dumps(order).replace(f'"{HERE}"', shapes(BYTES - 2_000)[shape]).encode()
                headers = {**login, "Prefer": "respond-async"}
                await connection.send(request("POST", "/v1/connector/order", body, headers))
                status, _, answered = await connection.answer()
                assert status == 202, answered
                path = f"/v1/payments/{json.loads(answered)['payment']['id']}"
                await connection.send(request("POST", f"{path}/cancel", b"", login))
                assert (await connection.answer())[0] == 200
                for _ in range(5):
                    await connection.send(request("GET", path, b"", login))
                    status, _, answered = await connection.answer()
                    assert (status, len(answered) > BYTES // 2) == (200, True)

    async with target.attacked("the largest orders, shown again"):
        await asyncio.gather(*(pay(number) for number in range(ATTACKERS)))
