"""Settings of API, terminal worker, terminals and every process."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, ClassVar, Literal

from pydantic import Field, IPvAnyNetwork, StringConstraints

from shared.settings.fields import Group, count, port, seconds

QueuePrefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,64}$")]
SoftwareId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
PosNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{2}$")]


class ApiSettings(Group):
    """The HTTP API."""

    title: ClassVar[str] = "API"

    api_host: str = Field(
        default="127.0.0.1",
        description="Address the API listens on; a proxy with TLS belongs in front of it.",
    )
    api_port: int = port(8080, "Port of the API; 0 takes a free one and logs it.")
    operator_page: bool = Field(
        default=False,
        description="Serve the operators' page at `/operator`, where operators log in by their credentials.",
    )
    body_limit_bytes: int = count(
        262_144, "Largest request body; the contract's largest basket is far smaller.", most=16_777_216
    )
    body_nesting_limit: int = count(
        64, "Deepest nesting of a request's JSON; the contract needs seven levels.", most=500
    )
    head_timeout_seconds: float = seconds(
        10,
        "How long a request's head may take, and how long a new connection may be silent; each half request "
        "of an attacker holds a connection.",
    )
    body_timeout_seconds: float = seconds(
        30, "How long a request's body may take; the largest one needs 70 kbit/s."
    )
    credential_cache_seconds: float = Field(
        default=3,
        gt=0,
        le=5,
        description=(
            "How long a checked credential is cached; a revoked one, or one of a suspended merchant, works "
            "this long at most, hence not longer than 5 s."
        ),
    )
    connections_before_login_limit: int = count(
        200,
        "Connections of one address (a /64 of IPv6) without a log-in; further ones are answered with 429. A "
        "POS needs one or two, which are not counted any more after its log-in.",
        most=100_000,
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        examples=[["10.20.0.0/16"]],
        description=(
            "Networks (a JSON list of CIDR) of the proxies in front of the API. Their connections are not "
            "counted, since each stands for many clients, and their `X-Forwarded-For` is trusted: limit the "
            "connections of a client in the proxy."
        ),
    )
    replay_window_seconds: float = seconds(
        3600, "How long a repeated order is answered with the stored success; later it is a conflict."
    )
    replay_window_unkeyed_credit_seconds: float = seconds(
        600, "The same for credits without an Idempotency-Key: a second equal refund may be meant."
    )
    reply_poll_seconds: float = seconds(
        1,
        "How often the API reads the states of the payments that requests wait for, in one statement, in"
        " case "
        "a reply was lost.",
    )
    reply_poll_after_seconds: float = seconds(
        5, "Wait after which a payment is part of that statement; one started by another request always is."
    )
    waiting_limit: int = count(
        5000,
        "Payments that may wait for a worker or a terminal; further ones would only reach their deadline, so "
        "they are refused with 503.",
    )
    waiting_limit_per_merchant: int = count(
        2500, "The same for one merchant, so that its flood does not block the others."
    )
    waiting_limit_per_terminal: int = count(
        50,
        "The same for one merchant at one terminal: a session takes seconds, so the last of them would reach "
        "their deadline. Merchants who share a terminal take turns.",
    )
    worker_lag_limit_seconds: float = seconds(
        5,
        "How long payments may wait for a worker while their terminals are free; beyond it the workers are "
        "overloaded, and orders are refused with 503. No effect from the queue's deadline on.",
    )
    accept_wait_seconds: float = seconds(
        15,
        "How long an order may wait to be stored; one that would probably wait longer than half of it is "
        "refused with 503 at once.",
    )
    waiting_count_seconds: float = seconds(
        1, "How often the API counts the waiting payments, in one statement, while there are any."
    )
    api_unready_seconds: float = Field(
        default=5,
        ge=0,
        le=600,
        description=(
            "How long the API still takes new requests after SIGTERM, while `/acceptz` and `/readyz` are "
            "red: longer than the proxy's health checks take to notice. 0 without a proxy."
        ),
    )
    api_drain_seconds: float = seconds(245, "How long the API finishes requests after that.")
    api_stop_grace_seconds: float = seconds(260, "The container's stop grace period; only used for checks.")


class WorkerSettings(Group):
    """The terminal worker's capacity and intervals."""

    title: ClassVar[str] = "Terminal worker"

    session_limit: int = count(
        200,
        "Concurrent sessions of one worker, and its prefetch: the broker delivers no more than can run.",
        most=5000,
    )
    heartbeat_seconds: float = seconds(
        2, "How often a worker raises its heartbeat counter and ends leases that are over."
    )
    worker_stale_seconds: float = seconds(
        10, "Time without a heartbeat, by another worker's clock, after which a worker is taken over."
    )
    sweep_interval_seconds: float = seconds(
        2, "How often a worker looks for queued payments of free terminals and for expired deadlines."
    )
    republish_after_seconds: float = seconds(
        10,
        "Age of a queued payment's last message after which the sweep publishes another; doubles each"
        " time, so "
        "that a long outage does not multiply messages.",
    )
    worker_drain_seconds: float = seconds(
        210, "How long a worker finishes sessions after SIGTERM; those that still run then are in doubt."
    )
    worker_stop_grace_seconds: float = seconds(
        220,
        "The container's stop grace period: a result that the database does not accept at the drain's end is "
        "stored again until then.",
    )

    @property
    def storing_grace_seconds(self) -> float:
        """The time after the drain for results that the database does not accept; the rest of the grace
        period is for closing connections."""
        return 0.8 * (self.worker_stop_grace_seconds - self.worker_drain_seconds)


class TerminalSettings(Group):
    """Terminals: protocol fields, limits of answers, sockets."""

    title: ClassVar[str] = "Terminals"

    software_id: SoftwareId = Field(
        default="012345678901",
        description=(
            "Protocol identifier of the POS software (field CJ), 12 digits, assigned by the association; the "
            "default is an example."
        ),
    )
    pos_number: PosNumber = Field(
        default="01", description="POS number (field CA) of a terminal that has none of its own."
    )
    time_zone: str = Field(
        default="Europe/Paris",
        description="Time zone of the terminals, a name like `Indian/Reunion`: totals are by its days.",
    )
    answer_limit_bytes: int = count(
        16_384, "Longest answer of a terminal; a longer one is a protocol error.", most=1_048_576
    )
    answer_limit_fields: int = count(64, "Most fields of an answer; more are a protocol error.", most=10_000)
    tcp_keepalive_idle_seconds: int = count(
        15,
        "Silence before the first keep-alive probe: carrier networks drop idle flows after 30 to 60 s, and a "
        "customer takes 90 s.",
        most=3600,
    )
    tcp_keepalive_interval_seconds: int = count(5, "Interval between two keep-alive probes.", most=3600)
    tcp_keepalive_count: int = count(
        4, "Unanswered keep-alive probes after which the connection is lost.", most=100
    )


class ProcessSettings(Group):
    """The management port, the logs and the event loop of every process."""

    title: ClassVar[str] = "Every process"

    management_host: str = Field(
        default="127.0.0.1",
        description="Address of `/healthz`, `/readyz`, `/metrics` and, of the API, `/acceptz`.",
    )
    management_port: int = port(9464, "Port of these; 0 takes a free one and logs it.")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`json` lines, `console` to read; `auto` is console on a terminal, else json.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is written."
    )
    tracing: bool = Field(
        default=False,
        description="Send traces by OpenTelemetry (`cloud-terminal[otel]`); the standard variables "
        "(`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, ...) say where and how many.",
    )
    event_loop: Literal["uvloop", "asyncio"] = Field(
        default="uvloop",
        description="The event loop's implementation; `asyncio` for comparing or debugging.",
    )
