"""Commands that run one process of an installation: `api`, `terminal-worker`, `notifier-worker`."""


def run_api() -> None:
    """Serve the HTTP API.

    Needs CLOUD_TERMINAL_AMQP_URL and a migrated database; listens on
    CLOUD_TERMINAL_API_HOST and CLOUD_TERMINAL_API_PORT (127.0.0.1:8080).
    SIGTERM lets running requests finish.
    """
    from api.main import PROCESS, run
    from cli.process import run_process

    run_process(PROCESS, run)


def run_terminal_worker() -> None:
    """Take payments from the queue and run their terminal sessions.

    Needs CLOUD_TERMINAL_AMQP_URL and a migrated database. Any number may run:
    they share the work. SIGTERM lets running sessions finish.
    """
    from cli.process import EXIT_UNAVAILABLE, fail, run_process
    from terminal_worker.main import PROCESS, run
    from terminal_worker.recovery.heartbeat import WorkerTakenOver

    try:
        run_process(PROCESS, run)
    except WorkerTakenOver as error:
        raise fail(
            f"{error}: other workers have taken its terminals over. Start it again.", EXIT_UNAVAILABLE
        ) from error


def run_notifier_worker() -> None:
    """Push order notifications to HiPay and webhooks to merchants.

    Needs CLOUD_TERMINAL_AMQP_URL and a migrated database; order notifications
    also CLOUD_TERMINAL_HIPAY_URL and CLOUD_TERMINAL_HIPAY_SIGNING_SECRET, which
    the API needs, too. Any number may run: they share the work. SIGTERM lets
    running deliveries finish.
    """
    from cli.process import run_process
    from notifier_worker.main import PROCESS, run

    run_process(PROCESS, run)
