"""Settings of the notifier worker: targets, retries, limits, allowed addresses."""

from typing import Annotated, ClassVar

from pydantic import Field, IPvAnyNetwork, SecretStr

from shared.settings.fields import Group, count, durations, seconds

Seconds = Annotated[float, Field(gt=0, le=604_800)]


class NotificationSettings(Group):
    """HiPay's order notifications and the merchants' webhooks."""

    title: ClassVar[str] = "Notifications"

    hipay_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description=(
            "Where HiPay takes order notifications; unset: none are written. Set it for the API and the "
            "notifier workers."
        ),
    )
    hipay_username: str | None = Field(default=None, description="For HTTP Basic at HiPay.")
    hipay_password: SecretStr | None = Field(default=None, description="For HTTP Basic at HiPay.")
    hipay_signing_secret: SecretStr | None = Field(
        default=None,
        description=(
            "Signs order notifications as webhooks are signed: `whsec_` and at least 24 bytes in base64. "
            "Required where `CLOUD_TERMINAL_HIPAY_URL` is set."
        ),
    )
    notify_timeout_seconds: float = seconds(
        10, "One attempt, from the DNS look-up to the status; a receiver should answer before it processes."
    )
    notify_connect_timeout_seconds: float = seconds(5, "Connecting to a receiver, part of the attempt.")
    notify_retry_seconds: tuple[Seconds, ...] = durations(
        (5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400),
        "The longest pause before each retry, a JSON list; the actual one is a random part of it, so that a "
        "receiver that recovers is not flooded. The last one is repeated.",
    )
    notify_lifetime_seconds: float = seconds(
        259_200, "How long a delivery is retried; then it is given up and can only be replayed."
    )
    notify_merchant_concurrency: int = count(
        512, "Concurrent webhooks of one notifier worker, and its prefetch.", most=10_000
    )
    notify_endpoint_concurrency: int = count(
        16,
        "Of these, to one endpoint, and at most a quarter of the free slots, so that slow endpoints do not "
        "block the others.",
        most=1000,
    )
    notify_hipay_concurrency: int = count(
        32, "Concurrent order notifications of one notifier worker, and its prefetch.", most=1000
    )
    notify_lease_seconds: float = seconds(
        30,
        "How long a worker has the lease of a delivery; after the worker's death the delivery waits as long.",
    )
    notify_sweep_interval_seconds: float = seconds(
        1, "Interval at which a notifier worker publishes deliveries that are due and unpublished."
    )
    notify_breaker_failures: int = count(
        5, "Failures in a row after which deliveries to a target pause.", most=1000
    )
    notify_breaker_seconds: float = seconds(
        10, "The first such pause; doubles with each further failure, up to 32 times as long."
    )
    notify_allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        examples=[["10.20.0.0/16"]],
        description=(
            "Networks (a JSON list of CIDR) that webhooks may reach beside public addresses, e.g. a private "
            "one of yours; the webhooks of every merchant of this installation may reach them."
        ),
    )
    notify_allowed_origins: tuple[str, ...] = Field(
        default=(),
        examples=[["http://receiver:8080"]],
        description=(
            "Origins (a JSON list of e.g. `http://receiver:8080`) that may be at any address, and use plain "
            "http where their scheme is http; scheme, host and port must match."
        ),
    )
    notify_allow_http: bool = Field(
        default=False, description="Allow webhooks over plain http; for tests on one machine."
    )
    webhook_secret_overlap_seconds: float = seconds(
        86_400, "How long webhooks are also signed with an endpoint's previous secret after a rotation."
    )
    webhook_endpoint_limit: int = count(50, "Endpoints of one merchant that are not disabled.", most=10_000)
    webhook_endpoint_total_limit: int = count(
        500,
        "All endpoints of one merchant, disabled ones included: they are kept for their deliveries, and"
        " can be "
        "changed and enabled again.",
        most=100_000,
    )
    notifier_drain_seconds: float = seconds(
        20, "How long a notifier worker finishes running deliveries after SIGTERM."
    )
    notifier_stop_grace_seconds: float = seconds(
        30, "The container's stop grace period; only used for checks."
    )
