"""The settings of every process, in one frozen object."""

from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr, field_validator, model_validator

from shared.network.hosts import EVERY_NETWORK
from shared.network.targets import AddressPolicy, Origin, TargetRefused, origin_of
from shared.network.tls import ca_file_problem
from shared.security.credentials import is_webhook_secret
from shared.settings.checks import broken_checks
from shared.settings.fields import Group, variable
from shared.settings.groups import ApiSettings, ProcessSettings, TerminalSettings, WorkerSettings
from shared.settings.limits import FairShareSettings, PaymentLimits
from shared.settings.notifications import NotificationSettings
from shared.settings.servers import BrokerSettings, StorageSettings
from shared.storage.db.connections.urls import url_problem

GROUPS: tuple[type[Group], ...] = (
    StorageSettings,
    BrokerSettings,
    ProcessSettings,
    ApiSettings,
    FairShareSettings,
    WorkerSettings,
    TerminalSettings,
    PaymentLimits,
    NotificationSettings,
)

#: A shorter one would delete payments that can still be disputed, or whose webhooks are retried.
LEAST_RETENTION_DAYS = 30

LEAST_KEY_CHARACTERS = 32

DATABASE_SCHEMES = ("postgresql+asyncpg://", "sqlite+aiosqlite:///")


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what to type."""


class Settings(
    NotificationSettings,
    PaymentLimits,
    TerminalSettings,
    WorkerSettings,
    FairShareSettings,
    ApiSettings,
    ProcessSettings,
    BrokerSettings,
    StorageSettings,
):
    """Every setting of every process. Durations are seconds, sizes bytes.

    `load_settings` builds it from the environment.
    """

    title: ClassVar[str] = "Settings"

    @field_validator("database_url")
    @classmethod
    def _is_a_known_database(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(DATABASE_SCHEMES):
            raise ValueError(f"must begin with {' or '.join(DATABASE_SCHEMES)}")
        if (problem := url_problem(value.get_secret_value())) is not None:
            raise ValueError(problem)
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_a_long_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < LEAST_KEY_CHARACTERS:
            raise ValueError(f"must have at least {LEAST_KEY_CHARACTERS} characters")
        return value

    @field_validator("amqp_url")
    @classmethod
    def _is_amqp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        if not value.get_secret_value().startswith(("amqp://", "amqps://")):
            raise ValueError("must begin with amqp:// or amqps://")
        if not _names_a_host(value.get_secret_value()):
            raise ValueError(
                "must be amqp://USER:PASSWORD@HOST:PORT/VHOST; write special characters of a password as %XX"
            )
        return value

    @field_validator("database_ca_file", "amqp_ca_file")
    @classmethod
    def _has_authorities(cls, value: Path | None) -> Path | None:
        if value is not None and (problem := ca_file_problem(value)) is not None:
            raise ValueError(problem)
        return value

    @field_validator("hipay_url")
    @classmethod
    def _can_be_posted_to(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                AddressPolicy(EVERY_NETWORK, allow_http=True).check_url(value)
            except TargetRefused as error:
                raise ValueError(error.text) from None
        return value

    @field_validator("notify_allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            try:
                origin_of(url)
            except TargetRefused as error:
                raise ValueError(f"{url}: {error.text}") from None
        return value

    @field_validator("retention_days")
    @classmethod
    def _is_no_short_retention(cls, value: int) -> int:
        if 0 < value <= LEAST_RETENTION_DAYS:
            raise ValueError(f"must be 0 or more than {LEAST_RETENTION_DAYS}")
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, KeyError, OSError) as error:
            raise ValueError("must be a time zone that the system knows (tzdata), as Europe/Paris") from error
        return value

    @field_validator("hipay_signing_secret")
    @classmethod
    def _signs(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_webhook_secret(value.get_secret_value()):
            raise ValueError("must be whsec_ and at least 24 bytes in base64")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        if (self.hipay_username is None) != (self.hipay_password is None):
            raise ValueError(
                f"{variable('hipay_username')} and {variable('hipay_password')} go together: set both or none"
            )
        if self.hipay_url is not None and self.hipay_signing_secret is None:
            raise ValueError(
                f"{variable('hipay_url')} is set and {variable('hipay_signing_secret')} is not: order "
                "notifications are signed"
            )
        self._verifies_what_it_can()
        if problems := broken_checks(self):
            raise ValueError("\n".join(problems))
        return self

    def _verifies_what_it_can(self) -> None:
        """Raise ValueError where a file of authorities would verify nothing."""
        database_url = self.database_url.get_secret_value()
        if self.database_ca_file is not None and not database_url.startswith(DATABASE_SCHEMES[0]):
            raise ValueError(f"{variable('database_ca_file')} is set: only PostgreSQL has a certificate")
        if self.database_ca_file is not None and "ssl=" in database_url.partition("?")[2]:
            raise ValueError(
                f"{variable('database_ca_file')} verifies the certificate: leave `ssl=` out of "
                f"{variable('database_url')}"
            )
        amqp_url = "" if self.amqp_url is None else self.amqp_url.get_secret_value()
        if self.amqp_ca_file is not None and not amqp_url.startswith("amqps://"):
            raise ValueError(
                f"{variable('amqp_ca_file')} is set: {variable('amqp_url')} must begin with amqps://"
            )

    def webhook_policy(self) -> AddressPolicy:
        """Return the allowed targets of merchants' webhooks."""
        return AddressPolicy(self.notify_allowed_networks, self.notify_allow_http, self._allowed_origins())

    def hipay_policy(self) -> AddressPolicy:
        """Return the allowed targets of order notifications: any address, since an operator sets it."""
        return AddressPolicy(EVERY_NETWORK, self.notify_allow_http, self._allowed_origins())

    def _allowed_origins(self) -> frozenset[Origin]:
        return frozenset(origin_of(url) for url in self.notify_allowed_origins)

    def require_amqp_url(self) -> str:
        """Return the broker's address; raise SettingsError where none is set."""
        if self.amqp_url is None:
            raise SettingsError(
                f"{variable('amqp_url')} is not set: this process needs RabbitMQ.\n"
                f"Type for example: export {variable('amqp_url')}=amqp://guest:guest@127.0.0.1:5672/"
            )
        return self.amqp_url.get_secret_value()


def _names_a_host(url: str) -> bool:
    """Return True if the URL has a host, and no port or one from 1 to 65535.

    A password's / or # would end the host before: the rest is no virtual host.
    """
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and "@" not in parts.path and "#" not in url
    except ValueError:
        return False
