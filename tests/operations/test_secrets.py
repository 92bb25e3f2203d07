"""Rotation of secrets as the handbook prints it, beside an API that checks them."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
from databases import Store
from eventually import eventually
from running.operator_shell import OperatorShell, page
from running.private_servers import private_postgres
from system import LOOPBACK, delete_queues, system_on

from shared.storage.db.schema.migrate import migrate

ROTATED, ACCOUNTS, NEW_KEY = page("secrets.md")
OLD_KEY = secrets.token_hex(32)
PROCESSES = ("api", "terminal", "notifier")


def said(output: str) -> httpx.BasicAuth:
    """Return the credential that the command printed."""
    lines = (line.split() for line in output.splitlines() if line.startswith(("username", "secret")))
    words = dict(lines)
    return httpx.BasicAuth(words["username"], words["secret"])


async def test_credentials_are_replaced_and_so_is_the_key(
    postgres_store: Store, amqp_url: str, amqp_prefix: str, tmp_path: Path
) -> None:
    """Both secrets of a name are valid for a while; a credential of the new key works from its restart on."""
    server, _, database = postgres_store.url.rpartition("/")
    shell = OperatorShell(tmp_path, server, database, secret_key=OLD_KEY)

    async with system_on(postgres_store.url, amqp_url, amqp_prefix, secret_key=OLD_KEY) as system:
        login, client = await system.login(LOOPBACK), (await system.api()).client
        replaced = {"MERCHANT_ID": login.merchant_id or "", "USERNAME": login.username}
        first = httpx.BasicAuth(login.username, login.secret)

        assert await status(client, first) == 200
        second = said(shell.type(ROTATED, replaced))
        await eventually(lambda: works(client, second))
        assert await status(client, first) == 200
        of_the_new_key = said(shell.type(NEW_KEY, replaced))

        assert await status(client, of_the_new_key) == 401
    new_key = (tmp_path / "new-secret-key").read_text().strip()
    async with system_on(postgres_store.url, amqp_url, amqp_prefix, secret_key=new_key) as system:
        client = (await system.api()).client
        assert await status(client, of_the_new_key) == 200
        assert await status(client, second) == 401
    await delete_queues(amqp_url, amqp_prefix)


async def test_accounts_of_postgresql_have_the_new_passwords(folder: Path) -> None:
    """From the command on the old ones are refused."""
    rules = folder / "pg_hba.conf"
    rules.write_text("host all ct 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    passwords = folder / "passwords"
    passwords.mkdir()
    async with private_postgres(folder / "postgres", settings={"hba_file": str(rules)}) as server:
        await migrate(server.url)
        shell = OperatorShell(folder, server.url, "postgres")
        shell.type(ACCOUNTS)
        earlier = {name: password_of(passwords, name) for name in PROCESSES}
        shell.type(ACCOUNTS)

        for name in PROCESSES:
            assert await logs_in(server.url, name, password_of(passwords, name))
            assert not await logs_in(server.url, name, earlier[name])


def password_of(folder: Path, process: str) -> str:
    return (folder / f"postgres-{process}-password").read_text().strip()


async def logs_in(url: str, process: str, password: str) -> bool:
    place = urlsplit(url)
    try:
        connection = await asyncpg.connect(
            host=place.hostname,
            port=place.port,
            user=f"cloud_terminal_{process}",
            password=password,
            database="postgres",
        )
    except asyncpg.InvalidPasswordError:
        return False
    await connection.close()
    return True


async def works(client: httpx.AsyncClient, auth: httpx.BasicAuth) -> bool:
    return await status(client, auth) == 200


async def status(client: httpx.AsyncClient, auth: httpx.BasicAuth) -> int:
    return (await client.get("/v1/payments", auth=auth)).status_code
