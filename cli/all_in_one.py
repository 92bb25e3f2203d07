"""Command `cloud-terminal all-in-one`: the processes of one small shop, as children of this one."""

from collections.abc import Sequence
from typing import Final

CHILDREN: Final = ("api", "terminal-worker", "notifier-worker")

HOW_TO_GET_A_BROKER: Final = """\
CLOUD_TERMINAL_AMQP_URL is not set: this command needs a RabbitMQ.
  On Debian or Ubuntu:  sudo apt-get install rabbitmq-server
  With Docker:          docker run -d -p 127.0.0.1:5672:5672 rabbitmq:4-management
Then: export CLOUD_TERMINAL_AMQP_URL=amqp://guest:guest@127.0.0.1:5672/"""


def run_all_in_one() -> None:
    """Run API, terminal worker and notifier worker of one small shop on this machine.

    Uses SQLite or the database of CLOUD_TERMINAL_DATABASE_URL, migrates it, and
    ends all processes when one ends. Needs a RabbitMQ in
    CLOUD_TERMINAL_AMQP_URL. Management ports: consecutive ones from
    CLOUD_TERMINAL_MANAGEMENT_PORT on (9464, 9465, 9466).
    """
    import typer

    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from shared.settings.load import load_settings
    from shared.storage.db.schema.migrate import migrate_database

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
    import asyncio

    from shared.runtime.processes import Fleet, stop_at_signals
    from shared.settings.fields import variable

    stopped, fleet = stop_at_signals(), Fleet({})

    async def start_and_wait() -> None:
        for offset, verb in enumerate(verbs):
            port = first_management_port + offset if first_management_port else 0
            # With one API, no other could take the requests of the time before it stops.
            alone = {variable("api_unready_seconds"): "0"}
            await fleet.start(verb, settings={variable("management_port"): str(port), **alone})
        await asyncio.Event().wait()

    try:
        ended = await fleet.supervise(stopped, start_and_wait())
    finally:
        await fleet.stop(drain_seconds)
    return 0 if ended is None else ended.exit_code or 1
