"""`cloud-terminal terminal-worker`."""


def run_terminal_worker() -> None:
    """Take payments from the queue and run their terminal sessions.

    Needs CLOUD_TERMINAL_AMQP_URL and a migrated database. Start as many as you like: they share the work.
    SIGTERM lets running sessions finish.
    """
    from cli.process import EXIT_UNAVAILABLE, fail, run_process
    from terminal_worker.main import PROCESS, run
    from terminal_worker.recovery.heartbeat import TakenForDead

    try:
        run_process(PROCESS, run)
    except TakenForDead as error:
        raise fail(f"{error}: others have taken its lines over. Start it again.", EXIT_UNAVAILABLE) from error
