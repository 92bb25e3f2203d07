"""Commands of the handbook's page on administration, run as they are printed."""

import asyncio
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from databases import Store
from eventually import eventually
from running.api_alone import on_sqlite
from running.command import Command, on_machine, over_http
from running.fleet import REPOSITORY
from running.served_api import ServedApi, served_api

from api.operator import fleet_routes
from shared.payment.states import Event
from shared.security.credentials import CredentialKind
from shared.storage.terminals.heartbeats import Heartbeats

PAGE: Final = (REPOSITORY / "docs/operations/administration.md").read_text()
COMMANDS: Final = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("cloud-terminal ")
]
SHOPS: Final = "merchant,name,networks,terminal,host\nlyon_1,Lyon,10.30.0.0/16,till-1,10.30.0.9\n"
#: Of commands that go on, or for which a part is missing here: further words, and the exit code.
OTHERWISE: Final = {
    "webhooks test": (["--wait", "0"], 1),
    "events tail": (["--no-follow"], 0),
    "workers drain": (["--yes"], 0),
}
#: Verbs with the merchant's credential.
OF_MERCHANT: Final = ("payments", "webhooks", "events")


@dataclass
class Reader:
    """Reader of the page, who replaces its words in capitals by what was answered before."""

    served: ServedApi
    machine: Command
    known: dict[str, str] = field(default_factory=dict)
    merchant: Command | None = None

    def type(self, line: str) -> str:
        words = [self.known.get(word, word) for word in shlex.split(line.partition(" > ")[0])[1:]]
        verb = " ".join(words[:2])
        more, code = OTHERWISE.get(verb, ([], 0))
        command = self.machine
        if words[0] in OF_MERCHANT:
            command = self._merchant_of_the_page()
        if verb == "payments cancel":
            words[2] = self._queued()
        ran = command.run(*words, *more, code=code)
        self._learn(verb, ran.stdout)
        return ran.stdout

    def _learn(self, verb: str, output: str) -> None:
        for name, created, pattern in (
            ("MERCHANT", "merchants create", r"mer_\w+"),
            ("USERNAME", "credentials create", r"ct_\w+"),
            ("PAYMENT", "payments pay", r"pay_\w+"),
        ):
            found = re.search(pattern, output)
            if verb == created and found:
                self.known[name] = found[0]

    def _merchant_of_the_page(self) -> Command:
        if self.merchant is None:
            self.merchant = over_http(self.served, CredentialKind.PRIVATE, self.known["MERCHANT"])
            self.merchant.run("terminals", "add", "till-1", "10.20.0.9")
            endpoint = self.served.run(self._endpoint())
            self.known["ENDPOINT"] = endpoint
            asyncio.run_coroutine_threadsafe(self._do_the_first_two(), self.served.loop)
        return self.merchant

    async def _endpoint(self) -> str:
        pos = await self.served.api.caller(CredentialKind.PRIVATE, self.known["MERCHANT"])
        made = await pos.post("/v1/webhooks/endpoints", {"url": "https://shop.example.com/hooks"})
        return str(made.json()["id"])

    async def _do_the_first_two(self) -> None:
        published = self.served.api.postbox.published
        for _ in range(2):
            payment_id = await eventually(lambda: published and published.pop(0))
            await self.served.api.settle(await self.served.api.claim(payment_id), Event.ANSWERED_DONE)

    def _queued(self) -> str:
        async def order() -> str:
            pos = await self.served.api.caller(CredentialKind.PRIVATE, self.known["MERCHANT"])
            return await pos.order_async(host="10.20.0.10")

        return self.served.run(order())


@pytest.fixture
def reader(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr(fleet_routes, "_LOOK_AGAIN_SECONDS", 0.01)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CT_PASSPHRASE", "a long passphrase of a test")
    (tmp_path / "shops.csv").write_text(SHOPS)
    with served_api(store) as served:
        worker = "0123456789abcdef"

        async def register() -> None:
            heartbeats = await Heartbeats.open(store.url)
            await heartbeats.register(worker)
            await heartbeats.close()

        served.run(register())
        yield Reader(served, on_machine(store), {"WORKER": worker})


@on_sqlite
def test_the_commands_of_the_page_work_as_they_are_printed(reader: Reader) -> None:
    """From the first operator to the audit trail."""
    shown = {line: reader.type(line) for line in COMMANDS}

    assert len(shown) == len(COMMANDS) >= 20
    paid = [text for line, text in shown.items() if " payments pay " in line]
    assert ["succeeded" in text for text in paid] == [True, True]
