"""The virtual terminal as a process of its own."""

import asyncio
import re
import signal
import sys
from pathlib import Path

from wire.concert import frame_of, request

from sandbox.terminal.device.session_log import read_session_log
from shared.concert.encode import encode_operation
from shared.concert.profile import Profile

OPTIONS = (
    *("--host", "127.0.9.2", "--port", "0", "--delay", "0", "--no-amount-table"),
    *("--outcome-for", "1300=refuse", "--fault", "lose_answer", "--fault-for", "1400"),
)


async def pay(port: int, cents: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.9.2", port)
    writer.write(encode_operation(request(amount_cents=cents), Profile()))
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


async def test_a_screen_is_served_where_a_port_is_given_and_0_is_a_free_one() -> None:
    """Its address is printed; without the option only Concert is served."""
    printed = {}
    for options in ((), ("--screen-port", "0")):
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "cli",
                "virtual-terminal",
                "--host",
                "127.0.9.2",
                "--port",
                "0",
                *options,
            ),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                lines = [await process.stdout.readline()]
                while b"is listening" not in lines[-1]:
                    assert lines[-1], "it ended before it listened"
                    lines.append(await process.stdout.readline())
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        printed[options] = b"".join(lines).decode()

    assert "http://" not in printed[()]
    screen = re.search(r"http://127\.0\.0\.1:(\d+)/", printed["--screen-port", "0"])
    assert screen is not None
    assert int(screen[1]) > 0
