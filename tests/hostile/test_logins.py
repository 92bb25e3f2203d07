"""Thousands of failed log-ins: they are slowed, and other clients go on paying."""

import asyncio
import secrets
import time
from collections import Counter

from running.attacks import Target
from wire.raw_http import basic, raw_connection, request

ATTACKERS = 20
#: Share of each attacker; the number of requests is another limit's subject.
PAUSE_SECONDS = 0.1
SECONDS = 10
MEGABYTES = 40


async def test_guessing_is_slowed_and_holds_no_client_up(target: Target) -> None:
    """Names that exist and others, all from the address of a client that goes on paying."""
    statuses: Counter[int] = Counter()
    ends_at = time.monotonic() + SECONDS

    async with target.pos() as pos:
        path = f"http://127.0.0.1:{target.port}/v1/payments"

        async def guess(name: str | None) -> None:
            async with raw_connection(target.port) as connection:
                while time.monotonic() < ends_at:
                    given = basic(name or f"ct_{secrets.token_hex(8)}", secrets.token_hex(16))
                    await connection.send(request("GET", "/v1/payments", b"", given))
                    statuses[(await connection.answer())[0]] += 1
                    await asyncio.sleep(PAUSE_SECONDS)

        async def work() -> None:
            while time.monotonic() < ends_at:
                assert (await pos.client.get(path, headers=pos.login.headers)).status_code == 200
                await asyncio.sleep(0.05)

        # A client without an earlier log-in waits as its address does.
        assert (await pos.client.get(path, headers=pos.login.headers)).status_code == 200
        async with target.attacked("failed log-ins") as bystander:
            known = pos.login.username
            await asyncio.gather(work(), *(guess(known if n % 2 else None) for n in range(ATTACKERS)))
            answered = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))

    target.print_line(f"  {answered}")
    assert set(statuses) == {401, 429}
    assert statuses[401] < 200
    assert bystander.megabytes < MEGABYTES
