"""Metrics of notifications, by kind of delivery: `hipay` or `merchant`."""

from typing import Final

from shared.metrics.definition import NOTIFIER, Metric
from shared.notification.kinds import NOTIFICATION_KINDS

#: From a receiver on the same machine to one that hangs.
ATTEMPT_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
#: From the usual way to a receiver that was away for days.
LAG_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 43200, 259200)
_KIND: Final = {"kind": NOTIFICATION_KINDS}

DELIVERED: Final = Metric(
    kind="counter",
    name="notifications_sent",
    help="Deliveries answered with 2xx.",
    owners=(NOTIFIER,),
    labels=_KIND,
    advice="It follows `payments_total`. If it stops while `notifications_waiting` grows, no notifier worker "
    "delivers this kind.",
)
FAILED: Final = Metric(
    kind="counter",
    name="notifications_failed",
    help="Attempts that failed, by class of HTTP status or code of the failure.",
    owners=(NOTIFIER,),
    labels={**_KIND, "error": "`3xx`, `4xx`, `5xx` ...; the codes of docs/reference/webhooks.md"},
    advice="The log names the target beside the error. Failures of one merchant's endpoint are the "
    "merchant's; of all at once, the way out of this installation.",
)
GIVEN_UP: Final = Metric(
    kind="counter",
    name="notifications_dead",
    help="Deliveries that are not retried any more.",
    owners=(NOTIFIER,),
    labels={**_KIND, "reason": ("gone", "gave_up", "endpoint_disabled")},
    advice="The merchant did not take them for days; they can be replayed once the endpoint works again.",
)
ATTEMPT_DURATION: Final = Metric(
    kind="histogram",
    name="notification_attempt_duration_seconds",
    help="One attempt, from the DNS look-up to the answer.",
    owners=(NOTIFIER,),
    labels=_KIND,
    buckets=ATTEMPT_BUCKETS,
    advice="Slow receivers occupy slots of their own target only; see `notifications_under_way`.",
)
FIRST_ATTEMPT_LAG: Final = Metric(
    kind="histogram",
    name="notification_first_attempt_lag_seconds",
    help="From the commit of a delivery to the end of its first attempt.",
    owners=(NOTIFIER,),
    labels=_KIND,
    buckets=LAG_BUCKETS,
    advice="Our own part of the lag. Above 10 s: wake-ups get lost and the sweep finds them (broker), or"
    " notifier workers are too few.",
)
DELIVERY_LAG: Final = Metric(
    kind="histogram",
    name="notification_delivery_lag_seconds",
    help="From the commit of a delivery to its success, retries included.",
    owners=(NOTIFIER,),
    labels=_KIND,
    buckets=LAG_BUCKETS,
    advice="Where it grows and the lag of first attempts does not, receivers refuse or are down.",
)
WAITING: Final = Metric(
    kind="gauge",
    name="notifications_waiting",
    help="Waiting deliveries, those between two attempts included.",
    owners=(NOTIFIER,),
    labels=_KIND,
    is_shared=True,
    advice="See `notification_targets_paused` and `notifications_overdue_age_seconds` for the cause.",
)
OLDEST_AGE: Final = Metric(
    kind="gauge",
    name="notifications_oldest_age_seconds",
    help="Age of the oldest waiting delivery, since it was created or replayed; 0: none waits.",
    owners=(NOTIFIER,),
    labels=_KIND,
    is_shared=True,
    advice="It grows for as long as one endpoint fails, up to the deliveries' lifetime.",
)
OVERDUE_AGE: Final = Metric(
    kind="gauge",
    name="notifications_overdue_age_seconds",
    help="Time for which a delivery has been due that nobody sends, of targets that are not paused; 0: none.",
    owners=(NOTIFIER,),
    labels=_KIND,
    is_shared=True,
    advice="It is our backlog, not the receivers'. Above a minute: start notifier workers, and see "
    "[NotificationsLate](../operations/alerts.md#notificationslate).",
)
PAUSED: Final = Metric(
    kind="gauge",
    name="notification_targets_paused",
    help="Endpoints that are paused because they kept failing.",
    owners=(NOTIFIER,),
    is_shared=True,
    advice="One is a merchant's matter. Many at once: the way out of this installation is broken.",
)
UNDER_WAY: Final = Metric(
    kind="gauge",
    name="notifications_under_way",
    help="Deliveries under way in this worker.",
    owners=(NOTIFIER,),
    labels=_KIND,
    advice="At the limit (`CLOUD_TERMINAL_NOTIFY_MERCHANT_CONCURRENCY`, `..._HIPAY_CONCURRENCY`) in all "
    "workers: start more.",
)

NOTIFICATIONS: Final = (
    DELIVERED,
    FAILED,
    GIVEN_UP,
    ATTEMPT_DURATION,
    FIRST_ATTEMPT_LAG,
    DELIVERY_LAG,
    WAITING,
    OLDEST_AGE,
    OVERDUE_AGE,
    PAUSED,
    UNDER_WAY,
)
