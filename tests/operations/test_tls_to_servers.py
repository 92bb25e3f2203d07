"""TLS to PostgreSQL and RabbitMQ, with an authority's certificates and real servers."""

from pathlib import Path

import pytest
from running.private_servers import private_postgres, private_rabbitmq
from wire.certificates import Authority

from shared.broker.connections import connected
from shared.broker.errors import BrokerUnavailable
from shared.settings.settings import Settings
from shared.storage.db.engine import DatabaseUnavailable
from shared.storage.db.opening import open_database, opened_database
from shared.storage.db.schema.migrate import migrate_database
from shared.storage.db.statement import Statement

IS_ENCRYPTED = Statement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


@pytest.fixture
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture
def stranger(folder: Path) -> Authority:
    """Return an authority that signed nothing."""
    return Authority(folder)


def database_settings(url: str, ca_file: Path) -> Settings:
    return Settings.model_validate({"database_url": url, "database_ca_file": ca_file})


async def test_postgresql_is_reached_by_tls_and_its_certificate_verified(
    folder: Path, authority: Authority, stranger: Authority
) -> None:
    """Migrations and processes; not with a certificate of a stranger or of another name."""
    async with private_postgres(
        folder / "postgres", certificate=authority.server_file("127.0.0.1")
    ) as server:
        trusting = database_settings(server.url, authority.file())
        distrusting = database_settings(server.url, stranger.file())
        by_name = database_settings(server.url.replace("127.0.0.1", "localhost"), authority.file())

        await migrate_database(trusting)
        async with opened_database(trusting) as database:
            encrypted = await database.read(lambda tx: tx.one(IS_ENCRYPTED))

        assert encrypted is not None
        assert encrypted.ssl is True
        for settings, reason in (
            (distrusting, "certificate verify failed"),
            (by_name, "is not valid for 'localhost'"),
        ):
            with pytest.raises(DatabaseUnavailable, match=reason):
                async with opened_database(settings):
                    pytest.fail("it was opened")


async def test_a_postgresql_without_tls_is_refused(folder: Path, authority: Authority) -> None:
    """A file of authorities never falls back to plain text."""
    async with private_postgres(folder / "postgres") as server:
        database = open_database(server.url, ca_file=authority.file())
        try:
            with pytest.raises(DatabaseUnavailable, match="rejected SSL upgrade"):
                await database.read(lambda tx: tx.one(Statement("SELECT 1")))
        finally:
            await database.close()


async def test_rabbitmq_is_reached_by_tls_and_its_certificate_verified(
    folder: Path, authority: Authority, stranger: Authority
) -> None:
    """Not with a stranger's certificate, and not without a file: the system does not know the authority."""
    certificate = authority.server_file("127.0.0.1")
    async with private_rabbitmq(folder / "rabbitmq", certificate=certificate) as server:

        def settings(ca_file: Path | None) -> Settings:
            return Settings.model_validate({"amqp_url": server.tls_url, "amqp_ca_file": ca_file})

        async with connected(settings(authority.file()), process="test", purpose="publish") as connection:
            assert connection.connected.is_set()
        for ca_file in (stranger.file(), None):
            with pytest.raises(BrokerUnavailable, match="certificate verify failed"):
                async with connected(settings(ca_file), process="test", purpose="publish"):
                    pytest.fail("it was connected")
