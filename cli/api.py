"""`cloud-terminal api`."""


def run_api() -> None:
    """Serve the HTTP API.

    Needs CLOUD_TERMINAL_AMQP_URL and a migrated database; listens on CLOUD_TERMINAL_API_HOST and
    CLOUD_TERMINAL_API_PORT (127.0.0.1:8080). SIGTERM lets running requests finish.
    """
    from api.main import PROCESS, run
    from cli.process import run_process

    run_process(PROCESS, run)
