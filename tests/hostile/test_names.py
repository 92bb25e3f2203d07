"""Host names whose servers never answer: only the merchant who gave them waits."""

import asyncio
import statistics
import time

import httpx
import pytest
from loopback import terminal_host
from running.attacks import Target
from running.fault_runs import READY_LINE
from system import Pos

from sandbox.terminal.device.device import Device
from sandbox.terminal.server.server import VirtualTerminal
from tests.hostile.dead_names import DEAD, name_of

NAMES = 2000
#: A payment by name takes as long as one on a terminal that answers at once, on a busy machine.
PAID_WITHIN_SECONDS = 5


@pytest.fixture
def api_module() -> str:
    return "tests.hostile.dead_names"


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {"import_timeout_seconds": 15}


async def dry_run(pos: Pos, port: int) -> httpx.Response:
    """Check a file of dead names."""
    file = "\n".join(["id,host", *(f"till-{number},name{number}{DEAD}" for number in range(NAMES))])
    return await pos.client.post(
        f"http://127.0.0.1:{port}/v1/terminals/import",
        params={"dry_run": "true"},
        content=file,
        headers={**pos.login.headers, "Content-Type": "text/csv"},
    )


async def test_dead_names_do_not_slow_others(target: Target) -> None:
    """A dry run of 2,000, and orders to dead names: another merchant pays by name all the time."""
    await target.start("terminal-worker", READY_LINE)
    host = terminal_host()
    seconds: list[float] = []
    async with (
        target.pos() as attacker,
        target.pos() as shop,
        VirtualTerminal(host, 8888, device=Device(request_idle_seconds=0)),
        target.attacked(f"a dry run of {NAMES} dead names"),
        asyncio.timeout(120),
    ):
        importing = asyncio.create_task(dry_run(attacker, target.port))
        ordering = [asyncio.create_task(attacker.pay(f"order{n}{DEAD}")) for n in range(50)]
        while not importing.done():
            began = time.perf_counter()
            paid = await shop.pay(name_of(host))
            seconds.append(time.perf_counter() - began)
            assert paid.json()["payment"]["state"] == "succeeded", paid.text

        refused = await importing
        await asyncio.gather(*ordering)

    assert (refused.status_code, refused.json()["error"]["details"]["error_count"]) == (400, NAMES)
    target.print_line(
        f"  meanwhile {len(seconds)} payments by name: p50 {statistics.median(seconds):.2f} s,"
        f" slowest {max(seconds):.2f} s"
    )
    assert max(seconds) < PAID_WITHIN_SECONDS
