"""`cloud-terminal all-in-one`: the processes of one small shop, as children of this one."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

CHILDREN: Final = ("api", "terminal-worker", "notifier-worker")

HOW_TO_GET_A_BROKER: Final = """\
CLOUD_TERMINAL_AMQP_URL is not set: RabbitMQ is the one thing that this command does not bring along.
  On Debian or Ubuntu:  sudo apt-get install rabbitmq-server
  With Docker:          docker run -d -p 127.0.0.1:5672:5672 rabbitmq:4-management
Then: export CLOUD_TERMINAL_AMQP_URL=amqp://guest:guest@127.0.0.1:5672/"""


def run_all_in_one() -> None:
    """Run API, terminal worker and notifier worker of one small shop on this machine.

    Uses SQLite unless CLOUD_TERMINAL_DATABASE_URL says otherwise, migrates the database by itself, and ends
    all when one ends. Needs a RabbitMQ in CLOUD_TERMINAL_AMQP_URL. Management ports: one more for each
    process from CLOUD_TERMINAL_MANAGEMENT_PORT on (9464, 9465, 9466).
    """
    import typer

    from cli.migrate import migrate_database
    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from shared.settings.load import load_settings

    with plain_errors():
        settings = load_settings()
        if settings.amqp_url is None:
            raise fail(HOW_TO_GET_A_BROKER, EXIT_USAGE)
        run_on_loop(migrate_database(settings))
        longest_drain = max(
            settings.api_stop_grace_seconds,
            settings.worker_stop_grace_seconds,
            settings.notifier_stop_grace_seconds,
        )
        code = run_on_loop(run_children(CHILDREN, settings.management_port, longest_drain))
    raise typer.Exit(code)


async def run_children(verbs: Sequence[str], first_management_port: int, drain_seconds: float) -> int:
    """Run `cloud-terminal VERB` for each; when one ends or a signal comes, end the others too.

    Return the exit code of the first that ended by itself, or 0 after a signal.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    children = [
        await _start(verb, 0 if first_management_port == 0 else first_management_port + offset)
        for offset, verb in enumerate(verbs)
    ]
    ends = [asyncio.create_task(child.wait()) for child in children]
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait([stopping, *ends], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    first = next((end.result() for end in ends if end.done()), 0)
    for child in children:
        if child.returncode is None:
            child.terminate()
    _, late = await asyncio.wait(ends, timeout=drain_seconds)
    for child in children if late else ():
        if child.returncode is None:
            child.kill()
    await asyncio.gather(*ends)
    return 0 if stopped.is_set() else first or 1


async def _start(verb: str, management_port: int) -> asyncio.subprocess.Process:
    environment = {**os.environ, "CLOUD_TERMINAL_MANAGEMENT_PORT": str(management_port)}
    # A group of its own: Ctrl-C reaches this process alone, which then ends the children in order.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", verb, env=environment, process_group=0
    )
