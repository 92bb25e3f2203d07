"""`python -m sandbox.demo [--keep]`: the whole system pays on virtual terminals, and shows how."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from sandbox.demo import addresses
from sandbox.demo.broker_tap import BrokerTap
from sandbox.demo.comparing import compare_all
from sandbox.demo.errors import Unexpected
from sandbox.demo.partner_records import PartnerRecords
from sandbox.demo.partner_story import PartnerStory
from sandbox.demo.paying import Paying
from sandbox.demo.show import Show, make_console
from sandbox.demo.story import Story
from sandbox.demo.system import System
from sandbox.demo.till import Till
from sandbox.run.shop import Shop
from sandbox.servers.errors import ServersUnavailable
from sandbox.servers.start import start_servers

#: 128 and the number of the signal, as shells count.
_BROKEN_OFF = 128 + signal.SIGINT
_LOOK_SECONDS = 1.0


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    keep = parser.parse_args().keep
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    show = Show(make_console())
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="cloud-terminal-demo-") as folder:
            status = _run_in(Path(folder).resolve(), show, keep)
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = _BROKEN_OFF
    show.end(status, time.monotonic() - began)
    return status


def _run_in(folder: Path, show: Show, keep: bool) -> int:
    system = System(folder)
    stack = ExitStack()
    try:
        stack.callback(system.end)
        show.progress("Starting a broker, terminals and the systems around, making a database and a merchant")
        with _broken_off_afterwards():
            system.launch_around()
        _prepare_and_pay(system, stack, show, keep)
    except (Unexpected, ServersUnavailable, httpx.HTTPError) as failure:
        show.failure(f"{failure}" or type(failure).__name__, [(part.name, part.log) for part in system.parts])
        return 1
    finally:
        _end_undisturbed()
        stack.close()
    return 0


def _prepare_and_pay(system: System, stack: ExitStack, show: Show, keep: bool) -> None:
    with ThreadPoolExecutor(1) as beside:
        migrated, made = beside.submit(system.migrate), beside.submit(system.make_shop)
        try:
            servers = stack.enter_context(start_servers(postgres=False))
            migrated.result()
            asyncio.run(_pay(system, made, servers.amqp_url, show, keep))
        finally:
            system.is_broken_off = True


async def _pay(system: System, made: Future[Shop], broker_url: str, show: Show, keep: bool) -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As the event loop does by itself at Ctrl-C.
        loop.add_signal_handler(number, task.cancel)
    async with BrokerTap(broker_url) as tap:
        till = None
        try:
            shop = await asyncio.wrap_future(made)
            show.progress("Starting an API, two terminal workers and a notifier worker")
            await system.launch(tap, shop)
            await system.wait_ready(shop)
            show.running("Running", addresses.running(system, broker_url))
            till = Till(system.api_url, shop.username, shop.password)
            async with PartnerRecords(system.partners.urls) as partners:
                await _tell(Paying(system, till, tap, partners), show)
            if keep:
                show.left_running(addresses.left_running(system, shop), addresses.example(system, shop))
                await _until_broken_off(system)
        finally:
            _end_undisturbed()
            if till is not None:
                await till.close()
            await asyncio.to_thread(system.end_clients)
            await system.delete_queues(broker_url)


async def _tell(paying: Paying, show: Show) -> None:
    worth_a_look = await Story(paying, show).tell()
    await PartnerStory(paying, show).tell()
    show.receipts(worth_a_look)
    rows = paying.system.rows
    show.stored(rows.payments(), len(rows.events()), paying.terminal_names())
    show.checked(await compare_all(paying))


async def _until_broken_off(system: System) -> None:
    try:
        while True:
            for part in system.parts:
                part.child.check_running()
            await asyncio.sleep(_LOOK_SECONDS)
    except asyncio.CancelledError:
        return


@contextmanager
def _broken_off_afterwards() -> Iterator[None]:
    """Ctrl-C takes effect at the end: a process that was started and not noted yet could not be ended."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _end_undisturbed() -> None:
    """A second Ctrl-C must not leave half of it running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
