"""What each process needs beside the payment's limits: addresses, sizes, sockets, intervals."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, ClassVar, Literal

from pydantic import Field, IPvAnyNetwork, SecretStr, StringConstraints

from shared.settings.fields import Group, count, port, seconds

QueuePrefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,64}$")]
SoftwareId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
RegisterNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{2}$")]


class Storage(Group):
    """The database and the key for what it must not give away."""

    title: ClassVar[str] = "Storage"

    database_url: SecretStr = Field(
        default=SecretStr("sqlite+aiosqlite:///data/cloud-terminal.db"),
        description=(
            "`postgresql+asyncpg://USER:PASSWORD@HOST/NAME`, or `sqlite+aiosqlite:///PATH` for one machine."
        ),
    )
    database_pool_size: int = count(
        10,
        "PostgreSQL connections a process; no connection is held while a terminal is waited for.",
        most=500,
    )
    database_pooler: Literal["none", "transaction"] = Field(
        default="none",
        description=(
            "`transaction` where PgBouncer, or another pooler in transaction mode, stands in front of "
            "PostgreSQL; limit idle transactions in PostgreSQL then (`idle_in_transaction_session_timeout`)."
        ),
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description=(
            "Key for credential hashes and secrets at rest, at least 32 characters. On SQLite it is made "
            "once beside the database; on PostgreSQL it must be given."
        ),
    )


class Broker(Group):
    """RabbitMQ: where it is, how long a call to it may take."""

    title: ClassVar[str] = "Broker"

    amqp_url: SecretStr | None = Field(
        default=None,
        description=(
            "`amqp://USER:PASSWORD@HOST/VHOST` or `amqps://...`; required by the API and the workers."
        ),
    )
    amqp_prefix: QueuePrefix = Field(
        default="",
        description="Stands before the name of every queue, so that two installations can share a broker.",
    )
    publish_timeout_seconds: float = seconds(
        5,
        "Waiting for the broker's confirmation of one message; a broker that hangs must not hold a till.",
    )
    broker_call_timeout_seconds: float = seconds(
        10, "Any other call to the broker; a queue without a leader answers some calls and hangs on others."
    )
    broker_heartbeat_seconds: int = count(
        15,
        "AMQP heartbeat; a dead connection is noticed after two of them, and only then can a reply "
        "queue of the same name be made again.",
        most=300,
    )
    broker_reconnect_seconds: float = seconds(1, "Pause between two tries to reach the broker again.")
    publish_concurrency: int = count(
        256,
        "Unconfirmed messages a process may have under way; more wait in the process, where their "
        "time-out counts.",
    )
    delivery_limit: int = count(
        20,
        "Deliveries of one message before it goes to `payments.dead`; a lost worker counts for all "
        "that it had, hence not lower.",
        most=1000,
    )


class ApiPart(Group):
    """The HTTP edge."""

    title: ClassVar[str] = "API"

    api_host: str = Field(
        default="127.0.0.1",
        description="Address the API listens on; a proxy with TLS belongs in front of it.",
    )
    api_port: int = port(8080, "Port of the API; 0 takes a free one and logs it.")
    body_limit_bytes: int = count(
        262_144, "Largest request body; the largest basket of the contract stays far below.", most=16_777_216
    )
    body_nesting_limit: int = count(
        64, "Deepest nesting of a request's JSON; the contract needs seven levels.", most=500
    )
    head_timeout_seconds: float = seconds(
        10,
        "How long a request's head may take to come, and how long a new connection may say nothing; an "
        "attacker's half requests hold a connection each.",
    )
    body_timeout_seconds: float = seconds(
        30, "How long a request's body may take to come; the largest one does at 70 kbit/s."
    )
    credential_cache_seconds: float = Field(
        default=3,
        gt=0,
        le=5,
        description=(
            "How long a checked credential is trusted without asking the database; a revoked one, or one of "
            "a suspended merchant, works this long at most, hence not longer than 5 s."
        ),
    )
    connections_before_login_limit: int = count(
        200,
        "Connections of one address (a /64 of IPv6) on which nobody has logged in yet; more are answered "
        "with 429. A till needs one or two, and its log-in takes it out of the count.",
        most=100_000,
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        description=(
            "Networks (a JSON list of CIDR) of the proxies in front of the API. Their connections are not "
            "counted, since each stands for many clients, and their `X-Forwarded-For` says who these are: "
            "bound connections per client in the proxy."
        ),
    )
    replay_window_seconds: float = seconds(
        3600, "How long the same order again is answered with the stored success; later it is a conflict."
    )
    replay_window_unkeyed_credit_seconds: float = seconds(
        600, "The same for credits without an Idempotency-Key: a second equal refund may be meant."
    )
    reply_poll_seconds: float = seconds(
        1,
        "How often the API reads the states of what its callers wait for, in one statement, in case a "
        "reply was lost.",
    )
    reply_poll_after_seconds: float = seconds(
        5, "From when on a waiting payment is part of that statement; one that others started always is."
    )
    waiting_limit: int = count(
        5000,
        "Payments that may wait for a worker or a terminal at once; more would only wait until their "
        "deadline, so they are refused with 503.",
    )
    waiting_limit_per_merchant: int = count(
        2500, "The same for one merchant, whose flood must leave room for the others."
    )
    waiting_limit_per_terminal: int = count(
        50,
        "The same for one merchant at one terminal: a session takes seconds, so that the last of them would "
        "reach their deadline first. Merchants who share a terminal take turns there.",
    )
    worker_lag_limit_seconds: float = seconds(
        5,
        "How long payments may wait for a worker while their terminals are free; past it the workers are "
        "behind, and orders are refused with 503. From the queue's deadline on it has no effect.",
    )
    accept_wait_seconds: float = seconds(
        5,
        "How long an order may wait to be stored; one that would wait longer is refused at once with 503.",
    )
    waiting_count_seconds: float = seconds(
        1, "How often the API counts what waits, in one statement, while payments come or wait."
    )
    api_drain_seconds: float = seconds(245, "How long the API finishes requests after SIGTERM.")
    api_stop_grace_seconds: float = seconds(
        260, "What the container's stop grace period is set to; used for the check only."
    )


class Worker(Group):
    """The terminal worker's capacity and rhythm."""

    title: ClassVar[str] = "Terminal worker"

    session_limit: int = count(
        200,
        "Terminal sessions at once in one worker, and its prefetch: the broker hands out no more than "
        "can run.",
        most=5000,
    )
    heartbeat_seconds: float = seconds(
        2, "How often a worker counts up its row and ends holds that are over."
    )
    worker_stale_seconds: float = seconds(
        10, "A worker whose counter stood still this long, seen by another one's clock, is taken over."
    )
    sweep_interval_seconds: float = seconds(
        2, "How often a worker looks for queued payments on free lines and for deadlines that passed."
    )
    republish_after_seconds: float = seconds(
        10,
        "Age of a queued payment's last message before the sweep sends another; doubles each time, so "
        "that a long outage never multiplies messages.",
    )
    worker_drain_seconds: float = seconds(
        210, "How long a worker finishes sessions after SIGTERM; what still runs then is in doubt."
    )
    worker_stop_grace_seconds: float = seconds(
        220,
        "What the container's stop grace period is set to: a result that the database does not take at the "
        "drain's end is tried again until then.",
    )

    @property
    def storing_grace_seconds(self) -> float:
        """After the drain: how long results are kept that the database does not take. The rest of the grace
        is for closing what is open."""
        return 0.8 * (self.worker_stop_grace_seconds - self.worker_drain_seconds)


class TerminalPart(Group):
    """What is said to a terminal and how its socket is kept."""

    title: ClassVar[str] = "Terminals"

    software_id: SoftwareId = Field(
        default="012345678901",
        description=(
            "Protocol identifier of the register software (field CJ), 12 digits, given by the "
            "association; the default is an example."
        ),
    )
    pos_number: RegisterNumber = Field(
        default="01", description="Register number (field CA) of a terminal that has none of its own."
    )
    default_terminal_port: int = port(8888, "Port of a terminal where the caller names none.", least=1)
    answer_limit_bytes: int = count(
        16_384, "Longest answer of a terminal; beyond it, it is a protocol error.", most=1_048_576
    )
    answer_limit_fields: int = count(
        64, "Most fields of an answer; beyond it, it is a protocol error.", most=10_000
    )
    tcp_keepalive_idle_seconds: int = count(
        15,
        "Silence before the first keep-alive probe: carrier networks forget idle flows after 30 to 60 "
        "s and the customer takes 90.",
        most=3600,
    )
    tcp_keepalive_interval_seconds: int = count(5, "Between two keep-alive probes.", most=3600)
    tcp_keepalive_count: int = count(
        4, "Unanswered keep-alive probes before the connection counts as lost.", most=100
    )


class Process(Group):
    """Every process: management port, logs, event loop."""

    title: ClassVar[str] = "Every process"

    management_host: str = Field(
        default="127.0.0.1", description="Address of `/healthz`, `/readyz` and `/metrics`."
    )
    management_port: int = port(9464, "Their port; 0 takes a free one and logs it.")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`json` lines, `console` for people; `auto` is console on a terminal, else json.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe lines that are written."
    )
    event_loop: Literal["uvloop", "asyncio"] = Field(
        default="uvloop",
        description="The event loop's implementation; `asyncio` helps to compare or to debug.",
    )
