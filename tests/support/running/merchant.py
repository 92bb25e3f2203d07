"""Merchant that registers terminals and pays on them over HTTP, with its terminals' records."""

from collections.abc import Mapping
from typing import Any

import httpx
from orders import order_on
from running.assembled import Api
from system import LOOPBACK, Login, Pos, System

from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decode import Decoder

PATH = "/v1/terminals"


class Merchant:
    """Client of one merchant that registers terminals and pays."""

    def __init__(self, api: Api, login: Login) -> None:
        self.pos = Pos(api.client, login)
        self._client = api.client
        self.login = login

    async def send(self, method: str, path: str = "", **given: Any) -> httpx.Response:
        headers = {**self.login.headers, **given.pop("headers", {})}
        return await self._client.request(method, PATH + path, headers=headers, **given)

    async def put(self, terminal_id: str, host: str, **members: Any) -> httpx.Response:
        return await self.send("PUT", f"/{terminal_id}", json={"host": host, **members})

    async def get(self, terminal_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.send("GET", f"/{terminal_id}")).json()
        return shown

    async def pay(self, terminal_id: str, amount: int = 250, **display: Any) -> httpx.Response:
        body = order_on(terminal_id, amount)
        body["pos_technical_info"]["terminal_transaction_display"] |= display
        return await self.pos.send(body)


async def merchant(system: System, api: Api) -> Merchant:
    return Merchant(api, await system.login(LOOPBACK))


def refused(answered: httpx.Response, status: int, code: str) -> Mapping[str, Any]:
    assert answered.status_code == status, answered.text
    error: Mapping[str, Any] = answered.json()["error"]
    assert error["code"] == code
    return error


def requests_of(terminal: VirtualTerminal) -> list[dict[str, str]]:
    """Return the fields of every request that the terminal read, in order."""
    return [
        dict(Decoder().feed(passage.text.encode("latin-1")).fields)
        for record in terminal.records
        for passage in record.passages
        if passage.direction == "in"
    ]
