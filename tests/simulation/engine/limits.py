"""Settings of a simulated system: real proportions, and heartbeats as slow as they may be.

Virtual time is free, statements are not: a lease of 335 s with a heartbeat every 2 s would cost thousands.
"""

from pydantic import SecretStr

from shared.settings.settings import Settings

SETTINGS = Settings(
    terminal_own_time_seconds=45,
    answer_timeout_seconds=40,
    heartbeat_seconds=3.3,
    sweep_interval_seconds=5,
    caller_wait_seconds=90,
    caller_wait_in_doubt_seconds=30,
    early_release_after_seconds=40,
    reply_poll_seconds=4,
    waiting_count_seconds=4,
    worker_drain_seconds=60,
    session_limit=8,
    notify_timeout_seconds=5,
    notify_retry_seconds=(2, 5, 10),
    notify_lease_seconds=15,
    notify_sweep_interval_seconds=12,
    notify_breaker_seconds=2,
    notifier_drain_seconds=10,
)

#: The same where HiPay is notified of orders.
NOTIFIED = SETTINGS.model_copy(
    update={
        "hipay_url": "https://hipay.example/orders",
        "hipay_signing_secret": SecretStr("whsec_" + "QUJD" * 8),
    }
)
