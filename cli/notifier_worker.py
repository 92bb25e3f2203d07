"""`cloud-terminal notifier-worker`."""


def run_notifier_worker() -> None:
    """Push order notifications to HiPay and webhooks to merchants.

    Needs CLOUD_TERMINAL_AMQP_URL and a migrated database; order notifications also
    CLOUD_TERMINAL_HIPAY_URL and CLOUD_TERMINAL_HIPAY_SIGNING_SECRET, which the API must be given, too.
    Start as many as you like: they share the work. SIGTERM lets what is under way finish.
    """
    from cli.process import run_process
    from notifier_worker.main import PROCESS, run

    run_process(PROCESS, run)
