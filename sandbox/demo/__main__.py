"""`python -m sandbox.demo`: the sandbox, a script of sales, and what was recorded of each.

Exit status 1 where something that was recorded is not as it must be.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Final

from sandbox.demo.show import Show, make_console
from sandbox.servers.server import ServersUnavailable
from sandbox.servers.start import start_servers
from shared.settings.fields import variable

#: 128 and the number of the signal, as shells count.
_BROKEN_OFF: Final = 128 + signal.SIGINT
#: Set by the signal: an exception may be lost, as in a callback of an import.
_is_broken_off: Final = threading.Event()
_INTRODUCTION: Final = (
    "cloud-terminal drives French card terminals for cash registers in the cloud. This demo runs it for one "
    "shop, as real processes on a real RabbitMQ, beside every system around it: terminal, payment gateway, "
    "banks, HiPay, and the shop's server. It sells a few things and prints what those systems record, with "
    "the time since the order. It takes less than a minute.\n"
)
_NEXT: Final = (
    ("make sandbox", "the same systems with their pages: sell, pay, pull plugs"),
    ("README.md", "what a caller sees when something goes wrong; how to install"),
    ("docs/architecture.md", "how a payment is kept from being lost or sent twice"),
    ("docs/sandbox/index.md", "these systems as a test bed for your own software"),
)


def main() -> int:
    """Run the demo; return the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _break_off)
    for name in [name for name in os.environ if name.startswith(variable(""))]:
        # The demo's times and addresses are its own.
        del os.environ[name]
    show, began = Show(make_console()), time.monotonic()
    show.text(_INTRODUCTION)
    try:
        with tempfile.TemporaryDirectory(prefix="cloud-terminal-demo-") as folder:
            status = _run_in(Path(folder), show)
    except KeyboardInterrupt:
        status = _BROKEN_OFF
    show.end(status, time.monotonic() - began)
    return status


def _break_off(_number: int, _frame: FrameType | None) -> None:
    _is_broken_off.set()
    raise KeyboardInterrupt


def _run_in(folder: Path, show: Show) -> int:
    try:
        show.progress("Starting RabbitMQ, the message broker between API and workers")
        with start_servers(postgres=False) as servers:
            show.progress("Starting an API, two terminal workers and a notifier worker, on SQLite")
            return _play_in(folder, servers.amqp_url, show)
    except ServersUnavailable as failure:
        show.failure(str(failure))
        return 1


def _play_in(folder: Path, amqp_url: str, show: Show) -> int:
    # Importing all of the sandbox takes seconds: what is waited for is printed before.
    import httpx
    import uvloop

    from sandbox.demo.checks import Unexpected
    from sandbox.demo.script import CUSTOMER_SECONDS, SETTINGS, play
    from sandbox.main import TerminalSetup
    from sandbox.run.cloud_api import ApiAnswered
    from sandbox.run.installation import Installation, Running
    from sandbox.run.places import Ports
    from shared.runtime.processes import ProcessFailed

    if _is_broken_off.is_set():
        return _BROKEN_OFF
    is_over = False

    async def use(running: Running) -> None:
        nonlocal is_over
        await play(running, show)
        show.next_steps(_NEXT)
        is_over = True

    installation = Installation(
        folder / "installation", amqp_url, 0, terminal_worker_count=2, settings=SETTINGS
    )
    setup = TerminalSetup(delay_seconds=CUSTOMER_SECONDS)
    try:
        uvloop.run(installation.run(Ports(base=0, terminal=0), setup, use))
    except (Unexpected, ProcessFailed, ApiAnswered, httpx.HTTPError) as failure:
        show.failure(f"{failure}" or type(failure).__name__)
        return 1
    return 0 if is_over else _BROKEN_OFF


if __name__ == "__main__":
    sys.exit(main())
