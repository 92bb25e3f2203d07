"""Time limits for tests: seconds instead of minutes."""

from typing import Any, Final

#: Seconds; the settings' checks of their relations hold.
SHORT_LIMITS: Final[dict[str, object]] = {
    "name_lookup_timeout_seconds": 0.5,
    "queue_deadline_seconds": 5,
    # A loaded machine is slow; only tests of overload may see an order refused for it.
    "accept_wait_seconds": 15,
    "worker_lag_limit_seconds": 60,
    "publish_timeout_seconds": 3,
    "broker_call_timeout_seconds": 5,
    "broker_reconnect_seconds": 0.1,
    "connect_timeout_seconds": 0.3,
    "connect_tries": 2,
    "connect_total_seconds": 0.5,
    "connect_retry_seconds": 0.01,
    "identification_timeout_seconds": 0.3,
    "write_window_seconds": 2,
    "tcp_user_timeout_seconds": 0.5,
    "answer_timeout_seconds": 5,
    "terminal_own_time_seconds": 5,
    "idle_end_known_seconds": 0.1,
    "idle_end_seconds": 0.5,
    "enquiry_timeout_seconds": 0.4,
    "lease_after_doubt_seconds": 1.5,
    "takeover_free_after_seconds": 3,
    "early_release_after_seconds": 3,
    "heartbeat_seconds": 0.1,
    "worker_stale_seconds": 1,
    "sweep_interval_seconds": 0.1,
    "republish_after_seconds": 1,
    "reply_poll_seconds": 0.1,
    "reply_poll_after_seconds": 1,
    "caller_wait_seconds": 20,
    "caller_wait_in_doubt_seconds": 0.3,
    "worker_drain_seconds": 20,
    "worker_stop_grace_seconds": 30,
    "api_unready_seconds": 0,
    "api_drain_seconds": 25,
    "api_stop_grace_seconds": 30,
    "notify_retry_seconds": (0.1, 0.2, 0.5),
    "notify_timeout_seconds": 3,
    "notify_connect_timeout_seconds": 2,
    "notify_lease_seconds": 6,
    "notify_sweep_interval_seconds": 0.1,
    "notify_breaker_seconds": 0.3,
    "notify_allowed_networks": ("127.0.0.0/8",),
    "notify_allow_http": True,
    "management_port": 0,
    "api_port": 0,
    "secret_key": "a key for tests, 32 characters long",
}

#: For terminals that answer, with all the time that a loaded machine needs to connect and to write.
PATIENT_SESSIONS: Final[dict[str, Any]] = {
    "connect_timeout_seconds": 3,
    "connect_total_seconds": 4,
    "identification_timeout_seconds": 4,
    "write_window_seconds": 5,
    "takeover_free_after_seconds": 6,
    "early_release_after_seconds": 6,
    "lease_after_doubt_seconds": 5,
    "queue_deadline_seconds": 60,
    "caller_wait_seconds": 90,
    "api_drain_seconds": 100,
    "api_stop_grace_seconds": 110,
}

#: For silent terminals: they are free again 2.9 s after the claim. The write window leaves a machine under
#: load the time to connect.
BRIEF_DOUBT: Final[dict[str, object]] = {
    "connect_timeout_seconds": 0.3,
    "connect_total_seconds": 0.5,
    "identification_timeout_seconds": 0.3,
    "write_window_seconds": 1,
    "tcp_user_timeout_seconds": 0.1,
    "answer_timeout_seconds": 0.3,
    "terminal_own_time_seconds": 0.3,
    "worker_stale_seconds": 0.5,
    "heartbeat_seconds": 0.1,
}

#: For tests that wait for a doubt's end: 4.8 s after the claim, and a loaded machine has the time to claim,
#: to connect and to write.
STEADY_DOUBT: Final[dict[str, object]] = {
    **PATIENT_SESSIONS,
    **BRIEF_DOUBT,
    "connect_timeout_seconds": 1,
    "connect_total_seconds": 1.4,
    "identification_timeout_seconds": 1,
    "write_window_seconds": 2,
    "takeover_free_after_seconds": 3,
    "early_release_after_seconds": 3,
    "lease_after_doubt_seconds": 2.4,
}
