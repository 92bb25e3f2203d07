"""The virtual terminal as a process of its own."""

import asyncio
import re
import signal
import sys
from pathlib import Path

from wire.concert import frame_for, frame_of

from sandbox.terminal.device.session_log import read_session_log

OPTIONS = (
    *("--host", "127.0.9.2", "--port", "0", "--delay", "0", "--no-amount-table"),
    *("--outcome-for", "1300=refuse", "--fault", "lose_answer", "--fault-for", "1400"),
)


async def pay(port: int, cents: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.9.2", port)
    writer.write(frame_for(amount_cents=cents))
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_it_serves_until_sigterm(tmp_path: Path) -> None:
    """It prints its address, answers as set, ends with 0, leaves its record."""
    path = tmp_path / "record.jsonl"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "virtual-terminal", *OPTIONS, "--record", str(path)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            listening = re.search(rb"127\.0\.9\.2:(\d+)", await process.stdout.readline())
        assert listening is not None
        port = int(listening[1])

        paid, refused, lost = [await pay(port, cents) for cents in (2500, 1300, 1400)]

        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert frame_of(paid).fields["AE"] == "10"
    assert frame_of(refused).fields["AF"][:2] == "04"
    assert lost == b""
    assert [(record.outcome, record.charged) for record in read_session_log(path)] == [
        ("done", True),
        ("refused", False),
        ("done", True),
    ]


async def test_without_a_screens_port_only_concert_is_served() -> None:
    """It prints one address; `--screen-port` adds the page's, as all tests from outside start it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "virtual-terminal", "--host", "127.0.9.2", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        printed = b""
        async with asyncio.timeout(60):
            while b"is listening" not in printed:
                line = await process.stdout.readline()
                assert line, "it ended before it listened"
                printed += line
    finally:
        process.kill()
        await process.wait()

    assert b"http://" not in printed
