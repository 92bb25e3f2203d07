"""Settings of the servers: database and broker, and how long data is kept."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints

from shared.settings.fields import Group, count, seconds

QueuePrefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,64}$")]
SoftwareId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
PosNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{2}$")]


class StorageSettings(Group):
    """The database, and the key for its hashes and encrypted secrets."""

    title: ClassVar[str] = "Storage"

    database_url: SecretStr = Field(
        default=SecretStr("sqlite+aiosqlite:///data/cloud-terminal.db"),
        description=(
            "`postgresql+asyncpg://USER:PASSWORD@HOST/NAME`, or `sqlite+aiosqlite:///PATH` for one machine."
        ),
    )
    database_ca_file: Path | None = Field(
        default=None,
        description=(
            "File (PEM) of the authorities that may have signed PostgreSQL's certificate: with it each "
            "connection is encrypted, and certificate and host name are verified."
        ),
    )
    database_pool_size: int = count(
        10,
        "PostgreSQL connections of a process; a running session holds none.",
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
        description=(
            "Key for credential hashes and secrets at rest, at least 32 characters. On SQLite it is created "
            "once beside the database; on PostgreSQL it must be set."
        ),
    )

    retention_days: int = count(
        400,
        "Days after its end at which a payment is deleted, with all that belongs to it; never while it is in "
        "doubt or contradicted. Its order number is free again then. 0 keeps everything.",
        least=0,
        most=36_500,
    )
    delivery_retention_days: int = count(
        90,
        "Days after which the deliveries of notifications are deleted, and their attempts; 0 keeps them as "
        "long as their payments.",
        least=0,
        most=36_500,
    )


class BrokerSettings(Group):
    """RabbitMQ's address, and the limits of calls to it."""

    title: ClassVar[str] = "Broker"

    amqp_url: SecretStr | None = Field(
        default=None,
        description=(
            "`amqp://USER:PASSWORD@HOST/VHOST` or `amqps://...`; required by the API and the workers."
        ),
    )
    amqp_ca_file: Path | None = Field(
        default=None,
        description=(
            "The same for RabbitMQ, with an address that begins with `amqps://`. Without it the system's "
            "authorities count."
        ),
    )
    amqp_prefix: QueuePrefix = Field(
        default="",
        description="Prefix of every queue's name, so that two installations can share a broker.",
    )
    publish_timeout_seconds: float = seconds(
        5,
        "Waiting for the broker's confirmation of one message; a broker that hangs must not delay a POS.",
    )
    broker_call_timeout_seconds: float = seconds(
        10, "Any other call to the broker; a queue without a leader answers some calls and hangs on others."
    )
    broker_heartbeat_seconds: int = count(
        15,
        "AMQP heartbeat; a dead connection is noticed after two of them, and only then can a reply queue of "
        "the same name be declared again.",
        most=300,
    )
    broker_reconnect_seconds: float = seconds(1, "Pause between two tries to reconnect to the broker.")
    publish_concurrency: int = count(
        256,
        "Unconfirmed messages of a process; further ones wait in the process, and their time-out is running.",
    )
    delivery_limit: int = count(
        20,
        "Deliveries of one message before it goes to `payments.dead`; not lower, since a lost worker counts "
        "as a delivery of each message that it had.",
        most=1000,
    )
