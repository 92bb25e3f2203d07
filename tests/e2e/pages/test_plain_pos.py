"""The cash register without a client, while every part of the system dies under its sales."""

import asyncio
import os
import shutil
import socket
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Final

import httpx
from eventually import eventually
from running.fault_runs import API_READY_LINE, READY_LINE, check_the_ledger, stage
from running.fleet import REPOSITORY
from system import LOOPBACK, Login, delete_queues
from wire.scripted_terminal import ScriptedTerminal, Talk
from wire.shop_terminal import shop_terminal

from examples.plain_pos import PAID, UNKNOWN
from sandbox.terminal.script.behaviour import Behaviour

#: An enquiry follows the takeover of a dead worker's terminals; a doubt that nothing proves is over soon.
LIMITS: Final[dict[str, object]] = {
    "worker_stale_seconds": 1,
    "takeover_free_after_seconds": 1.6,
    "lease_after_doubt_seconds": 3.5,
    "enquiry_timeout_seconds": 1,
}
AMOUNT: Final = 1250


class Register:
    """A cash register at one terminal: each start is a process of its own, its sales are in a file."""

    def __init__(self, url: str, login: Login, terminal_id: str, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "CT_URL": url,
            "CT_USERNAME": login.username,
            "CT_SECRET": login.secret,
            "TERMINAL": terminal_id,
            "SALES_FILE": str(folder / f"{terminal_id}.db"),
            "LOOK_SECONDS": "1",
            "no_proxy": "*",
        }

    async def sells(self) -> asyncio.subprocess.Process:
        return await self._start(str(AMOUNT))

    async def is_started_again(self) -> asyncio.subprocess.Process:
        return await self._start()

    async def _start(self, *amounts_cents: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            REPOSITORY / "examples/plain_pos.py",
            *amounts_cents,
            env=self._environment,
            stdout=PIPE,
        )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Return a cash register's exit code and what its cashier read."""
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_a_plain_cash_register_survives_the_death_of_every_part(
    sqlite_template: Path, amqp_url: str, amqp_prefix: str, tmp_path: Path
) -> None:
    """Killed at once while customers pay: one of the cash registers, the API, the worker, a terminal."""
    shutil.copyfile(sqlite_template, tmp_path / "cloud-terminal.db")
    database = f"sqlite+aiosqlite:///{tmp_path / 'cloud-terminal.db'}"
    port, power_fails = free_port(), asyncio.Event()

    async def dies(talk: Talk) -> None:
        await talk.request()
        await power_fails.wait()
        talk.reset()

    async with (
        stage(database, amqp_url, amqp_prefix, tmp_path, {**LIMITS, "api_port": port}) as (fleet, system),
        shop_terminal(Behaviour(delay_seconds=60)) as first,
        shop_terminal(Behaviour(delay_seconds=60)) as second,
        ScriptedTerminal(dies) as dying,
    ):
        api, worker = await fleet.start("api"), await fleet.start("terminal-worker")
        await asyncio.gather(api.logged(API_READY_LINE), worker.logged(READY_LINE))
        login, url = await system.login(LOOPBACK), f"http://127.0.0.1:{port}"
        hosts = {"first": first.host, "second": second.host, "dying": dying.host}
        async with httpx.AsyncClient(base_url=url, headers=login.headers, trust_env=False) as client:
            for terminal_id, host in hosts.items():
                (await client.put(f"/v1/terminals/{terminal_id}", json={"host": host})).raise_for_status()
        registers = [Register(url, login, terminal_id, tmp_path) for terminal_id in hosts]
        killed, survivor, doubtful = [await register.sells() for register in registers]
        await eventually(lambda: first.is_busy and second.is_busy and dying.talks)

        killed.kill()
        await asyncio.gather(api.kill(), worker.kill(), killed.wait())
        power_fails.set()
        for terminal in (first, second):
            terminal.present_card()
        again = await registers[0].is_started_again()
        await asyncio.gather(fleet.start("api"), system.worker())
        results = await asyncio.gather(*map(ended, (again, survivor, doubtful)))

        assert [code for code, _ in results] == [0, 0, 2], results
        assert [said in read for said, (_, read) in zip((PAID, PAID, UNKNOWN), results, strict=True)] == [
            True
        ] * 3
        for terminal in (first, second):
            check_the_ledger(terminal, requests=1)
        assert sorted(row.state for row in await system.payments()) == ["in_doubt", "succeeded", "succeeded"]
    await delete_queues(amqp_url, amqp_prefix)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
