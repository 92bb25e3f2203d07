"""What the notifier worker goes by: who is told, how often it tries, what it may reach."""

from typing import Annotated, ClassVar

from pydantic import Field, IPvAnyNetwork, SecretStr

from shared.settings.fields import Group, count, durations, seconds

Seconds = Annotated[float, Field(gt=0, le=604_800)]


class Notifications(Group):
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
        10, "One try, from the name look-up to the answer's status; a receiver should answer and then work."
    )
    notify_connect_timeout_seconds: float = seconds(5, "Connecting to a receiver, part of the try.")
    notify_retry_seconds: tuple[Seconds, ...] = durations(
        (5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400),
        "The longest pause before each next try, in JSON; the real one is a random part of it, so that a "
        "receiver that comes back is not run over. The last one is repeated.",
    )
    notify_lifetime_seconds: float = seconds(
        259_200, "How long a delivery is tried; then it is dead, until somebody replays it."
    )
    notify_merchant_concurrency: int = count(
        512, "Webhooks under way in one notifier worker, and its prefetch.", most=10_000
    )
    notify_endpoint_concurrency: int = count(
        16,
        "Of these, to one endpoint, and never more than a quarter of what is free: slow ones must leave "
        "room for the others.",
        most=1000,
    )
    notify_hipay_concurrency: int = count(
        32, "Order notifications under way in one notifier worker, and its prefetch.", most=1000
    )
    notify_lease_seconds: float = seconds(
        30,
        "How long a delivery belongs to the worker that sends it; after a worker's death it waits so long.",
    )
    notify_sweep_interval_seconds: float = seconds(
        1, "How often a notifier worker looks for deliveries that are due and that nobody has published."
    )
    notify_breaker_failures: int = count(
        5, "Failures in a row after which a target is left alone for a while.", most=1000
    )
    notify_breaker_seconds: float = seconds(
        10, "The first pause of a target that fails; doubles with each failure after it, 32 times at most."
    )
    notify_allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description=(
            "Networks (a JSON list of CIDR) that webhooks may reach beside public addresses, e.g. a private "
            "one of yours; every merchant of this installation may reach them then."
        ),
    )
    notify_allowed_origins: tuple[str, ...] = Field(
        default=(),
        description=(
            "Origins (a JSON list of e.g. `http://receiver:8080`) that may be at any address, and be posted "
            "to in plain http where they say so: exactly these, not what is beside them."
        ),
    )
    notify_allow_http: bool = Field(
        default=False, description="Whether webhooks may go over plain http; for tests on one machine."
    )
    webhook_secret_overlap_seconds: float = seconds(
        86_400, "How long the older secret of an endpoint still signs after a rotation."
    )
    webhook_endpoint_limit: int = count(50, "Endpoints of one merchant that are not disabled.", most=10_000)
    webhook_endpoint_total_limit: int = count(
        500,
        "All endpoints of one merchant: disabled ones are kept for what was delivered to them, and can be "
        "changed and enabled instead of registering another.",
        most=100_000,
    )
    notifier_drain_seconds: float = seconds(
        20, "How long a notifier worker finishes what is under way after SIGTERM."
    )
    notifier_stop_grace_seconds: float = seconds(
        30, "What the container's stop grace period is set to; used for the check only."
    )
