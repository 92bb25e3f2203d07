"""Passwords that everybody knows, as `cloud-terminal doctor` finds them."""

import pytest

from cli.doctor.password_check import check_passwords
from shared.settings.settings import Settings

GOOD = "b2f1c07a94d1e5f3"
KEY = "6a0f3b9c2d4e8f71" * 4


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"amqp_url": "amqp://guest:guest@broker/"}, "AMQP_URL"),
        ({"amqp_url": "amqps://shop:shop@10.0.0.5:5671/"}, "AMQP_URL"),
        ({"database_url": "postgresql+asyncpg://ct:postgres@db/ct"}, "DATABASE_URL"),
        ({"database_url": "postgresql+asyncpg://ct:p%61ssword@db/ct"}, "DATABASE_URL"),
        ({"secret_key": "changeme-changeme-changeme-changeme"}, "SECRET_KEY"),
        ({"secret_key": "a" * 32}, "SECRET_KEY"),
        ({"amqp_url": f"amqp://guest:{GOOD}@broker/", "secret_key": KEY}, None),
        ({"database_url": "postgresql+asyncpg://ct@db/ct"}, None),
        ({"amqp_url": "amqp://guest:guest@127.0.0.1:5672/"}, None),
    ],
)
def test_a_password_that_everybody_knows_is_a_problem(settings: dict[str, str], named: str | None) -> None:
    """On this machine alone the sandbox may use it; no password is another way to log in."""
    found = check_passwords(Settings.model_validate(settings))

    assert [one.fact.split(":")[0] for one in found] == ([f"CLOUD_TERMINAL_{named}"] if named else [])
    assert all(one.fix and GOOD not in one.fact for one in found)
