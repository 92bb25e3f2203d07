"""Settings from the environment, with every error reported at once."""

import os
from pathlib import Path

import pytest
from wire.certificates import Authority

from shared.settings.fields import variable
from shared.settings.load import load_settings
from shared.settings.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLOUD_TERMINAL_")]:
        monkeypatch.delenv(name)


def test_the_defaults_are_the_designed_limits() -> None:
    """The doubt window is 275 s and a lease ends 335 s after the claim, as sums of their parts."""
    settings = load_settings()

    assert settings.doubt_window_seconds == 275
    assert settings.lease_seconds == 335
    assert settings.doubt_window_for(300) == 335
    assert settings.doubt_window_for(60) == 275, "a profile only lengthens it"
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8080)
    assert (settings.management_host, settings.management_port) == ("127.0.0.1", 9464)


def test_the_environment_wins_over_defaults_and_arguments_win_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Children get their settings by the environment, tests by arguments."""
    monkeypatch.setenv("CLOUD_TERMINAL_API_PORT", "9000")
    monkeypatch.setenv("CLOUD_TERMINAL_AMQP_PREFIX", "shop.")

    assert load_settings().api_port == 9000
    assert load_settings(api_port=9001).api_port == 9001
    assert load_settings().amqp_prefix == "shop."


def test_a_variable_that_is_no_setting_stops_the_start_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A misspelt setting is noticed."""
    monkeypatch.setenv("CLOUD_TERMINAL_ANSWER_TIMEOUT", "60")

    with pytest.raises(SettingsError, match="Did you mean CLOUD_TERMINAL_ANSWER_TIMEOUT_SECONDS") as caught:
        load_settings()
    assert "CLOUD_TERMINAL_ANSWER_TIMEOUT is not a setting" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["trusted_proxies", "notify_retry_seconds", "notify_allowed_networks", "notify_allowed_origins"]
)
@pytest.mark.parametrize("text", ["10.20.0.0/16", "5,30", "[5", " ", "'[5]'"])
def test_a_list_that_is_no_json_is_named_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """The example in the message is one that works."""
    monkeypatch.setenv(variable(name), text)

    with pytest.raises(SettingsError, match=f"{variable(name)}: must be a JSON list, as '") as caught:
        load_settings()

    monkeypatch.setenv(variable(name), str(caught.value).split("'")[1])
    assert getattr(load_settings(), name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("database_url", "postgresql+asyncpg://[::1/x"),
        ("database_url", "postgresql+asyncpg://u:hunter2@h:port/x"),
        ("database_url", "postgresql+asyncpg://h/x?host=a:b"),
        ("database_url", "postgresql+asyncpg://h/x?nonsense=1"),
        ("database_url", "postgresql+asyncpg://h/x?timeout=3"),
        ("database_url", "postgresql+asyncpg://h/x?ssl=banana"),
        ("database_url", "sqlite+aiosqlite:///"),
        ("database_url", "sqlite+aiosqlite:///:memory:"),
        ("amqp_url", "amqp://"),
        ("amqp_url", "amqp://["),
        ("amqp_url", "amqp://h:x/"),
        ("amqp_url", "amqps://a:hunter2@h:99999/x"),
        ("amqp_url", "amqp://a:hunter2@/x"),
        ("amqp_url", "amqp://a:1/hunter2@h/x"),
        ("amqp_url", "amqp://a:1#hunter2@h/x"),
        ("database_url", "postgresql+asyncpg://a:b@hunter2@h/x"),
        ("secret_key", "x" * 31),
    ],
)
def test_an_address_that_no_process_could_use_is_named_before_one_starts(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """A sentence with the variable and what it must be; never the value, which may hold a password."""
    monkeypatch.setenv(variable(name), text)

    with pytest.raises(SettingsError, match=rf"^{variable(name)}: (must|has|is) ") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    assert ".." not in str(caught.value)


def test_a_dot_env_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings do not depend on the working directory."""
    (tmp_path / ".env").write_text("CLOUD_TERMINAL_API_PORT=9999\n")
    monkeypatch.chdir(tmp_path)

    assert load_settings().api_port == 8080


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass `${NAME:-}` for an unset variable."""
    monkeypatch.setenv("CLOUD_TERMINAL_API_PORT", "")

    assert load_settings().api_port == 8080


def test_a_secret_comes_from_a_file_without_its_line_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Container platforms mount secrets as files."""
    file = tmp_path / "amqp"
    file.write_text("amqp://user:secret@broker/\n")
    monkeypatch.setenv("CLOUD_TERMINAL_AMQP_URL_FILE", str(file))

    assert load_settings().require_amqp_url() == "amqp://user:secret@broker/"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_secret_file_that_cannot_be_used_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, empty or binary: the variable and the path are in the message."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("CLOUD_TERMINAL_SECRET_KEY_FILE", str(file))

    with pytest.raises(SettingsError, match="CLOUD_TERMINAL_SECRET_KEY_FILE") as caught:
        load_settings()
    assert str(file) in str(caught.value)


def test_a_secret_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither takes precedence silently."""
    file = tmp_path / "url"
    file.write_text("amqp://a/")
    monkeypatch.setenv("CLOUD_TERMINAL_AMQP_URL", "amqp://b/")
    monkeypatch.setenv("CLOUD_TERMINAL_AMQP_URL_FILE", str(file))

    with pytest.raises(SettingsError, match="both set"):
        load_settings()


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start lists everything to fix."""
    monkeypatch.setenv("CLOUD_TERMINAL_API_PORT", "eighty")
    monkeypatch.setenv("CLOUD_TERMINAL_SOFTWARE_ID", "12")
    monkeypatch.setenv("CLOUD_TERMINAL_DATABASE_URL", "mysql://root:hunter2@db/x")

    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    for name in ("API_PORT", "SOFTWARE_ID", "DATABASE_URL"):
        assert f"CLOUD_TERMINAL_{name}:" in message
    assert "hunter2" not in message


def test_secrets_are_not_in_the_settings_text() -> None:
    """Logged settings contain no secret."""
    settings = Settings(
        amqp_url="amqp://user:hunter2@broker/",
        database_url="postgresql+asyncpg://user:hunter3@db/x",
        secret_key="hunter4" * 8,
    )

    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "hunter" not in text


def test_the_broker_is_required_only_where_it_is_needed() -> None:
    """Migrating needs no RabbitMQ; a process that needs it says what to type."""
    settings = load_settings()

    with pytest.raises(SettingsError, match="export CLOUD_TERMINAL_AMQP_URL="):
        settings.require_amqp_url()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"database_ca_file": "/no/such.pem"}, "CLOUD_TERMINAL_DATABASE_CA_FILE: cannot read /no/such.pem"),
        ({"amqp_ca_file": __file__}, "CLOUD_TERMINAL_AMQP_CA_FILE: .* has no certificate"),
        ({"amqp_ca_file": "{ca}", "amqp_url": "amqp://broker/"}, "AMQP_URL must begin with amqps://"),
        ({"database_ca_file": "{ca}"}, "only PostgreSQL has a certificate"),
        (
            {"database_ca_file": "{ca}", "database_url": "postgresql+asyncpg://u@h/d?ssl=require"},
            "leave `ssl=` out of CLOUD_TERMINAL_DATABASE_URL",
        ),
    ],
    ids=["missing", "not a certificate", "broker without TLS", "SQLite", "verified twice"],
)
def test_a_file_of_authorities_that_would_verify_nothing_stops_the_start(
    settings: dict[str, str], problem: str, tmp_path: Path
) -> None:
    """Nothing is sent in plain text because of a mistyped setting."""
    ca_file = str(Authority(tmp_path).file())
    given = {name: text.replace("{ca}", ca_file) for name, text in settings.items()}

    with pytest.raises(SettingsError, match=problem):
        load_settings(**given)


def test_settings_do_not_change() -> None:
    """The values checked at start are in force until the end."""
    settings = load_settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.api_port = 1  # type: ignore[misc]
