"""Metrics of terminals and of the workers that drive them."""

from typing import Final

from shared.metrics.definition import WORKER, Metric

#: What a connection attempt may end with, beside a connection.
CONNECT_FAILURES: Final = ("refused", "no_answer", "unreachable", "reset", "other")
#: What holds a terminal lock. `ended`: its payment has its outcome, and the lock is held a little longer.
HOLDERS: Final = ("in_session", "in_doubt", "probe", "ended")
WORKER_STATES: Final = ("alive", "stale")

CONNECT_FAILED: Final = Metric(
    kind="counter",
    name="terminal_connect_failures",
    help="Failed attempts to connect to a terminal; a payment makes several.",
    owners=(WORKER,),
    labels={"reason": CONNECT_FAILURES},
    advice="`refused`: the terminal's application is not running, or the port is wrong. `no_answer`: it "
    "is off, or a firewall drops packets. `unreachable`: there is no route, as when a VPN is "
    "down; many at once are one shop or one network.",
)
LOCKED: Final = Metric(
    kind="gauge",
    name="terminals_locked",
    help="Terminals whose lock is held, by what holds it.",
    owners=(WORKER,),
    labels={"holder": HOLDERS},
    is_shared=True,
    advice="`in_doubt` is held for 335 s at most. If it grows, terminals lose their connection in the "
    "session.",
)
LOCKS_OVERDUE: Final = Metric(
    kind="gauge",
    name="terminal_locks_overdue",
    help="Terminal locks that are held for more than a minute beyond the end of their lease.",
    owners=(WORKER,),
    is_shared=True,
    advice="There should be none: their worker hangs, or cannot store. See the alert "
    "[TerminalLocksOverdue](../operations/alerts.md#terminallocksoverdue).",
)
WORKERS: Final = Metric(
    kind="gauge",
    name="terminal_workers",
    help="Registered terminal workers, by their heartbeat as the others see it.",
    owners=(WORKER,),
    labels={"state": WORKER_STATES},
    is_shared=True,
    advice="A stale one stopped without a farewell; its locks were taken over, its row goes within a day. "
    "Restart it if its place is empty.",
)
TAKEOVERS: Final = Metric(
    kind="counter",
    name="terminal_lock_takeovers",
    help="Terminal locks taken over from dead workers.",
    owners=(WORKER,),
    advice="Each is a payment in doubt, unless it had ended. Without a worker that was killed: workers were "
    "paused for 10 s, by memory or by the host; look at `event_loop_lag_seconds` and the container's limits.",
)
SLOTS_USED: Final = Metric(
    kind="gauge",
    name="session_slots_used",
    help="Terminal sessions running in this worker.",
    owners=(WORKER,),
    advice="Near the limit in all workers: start more.",
)
SLOTS_FREE: Final = Metric(
    kind="gauge",
    name="session_slots_free",
    help="Further sessions this worker could run.",
    owners=(WORKER,),
    advice="0 in all workers: payments wait in the queue; start more workers.",
)

TERMINALS: Final = (CONNECT_FAILED, LOCKED, LOCKS_OVERDUE, WORKERS, TAKEOVERS, SLOTS_USED, SLOTS_FREE)
