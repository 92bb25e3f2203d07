"""An operator's view of an installation: version, settings, schema, the API's document."""

import json
from pathlib import Path

import pytest
from in_memory.written_log import logging_restored
from typer.testing import CliRunner, Result

from cli.main import app
from shared.settings.fields import variable
from shared.settings.settings import Settings

SECRET = "a-password-nobody-may-read-on-a-screen"


def run(*words: str, **settings: str) -> Result:
    """Run the command with settings, at 80 columns."""
    environment = {variable(name): text for name, text in settings.items()}
    with logging_restored():
        return CliRunner().invoke(app, words, env={**environment, "COLUMNS": "80"})


def rows_of(result: Result) -> dict[str, dict[str, object]]:
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return {row["name"]: row for row in rows}


def test_the_version_is_the_packages() -> None:
    """`--version` needs no verb."""
    shown = run("--version")

    assert shown.exit_code == 0
    assert shown.stdout.startswith("cloud-terminal ")


def test_every_setting_is_shown_with_value_source_default_and_reason() -> None:
    """As JSON and in words."""
    rows = rows_of(run("config", "--json", delivery_limit="7"))

    assert rows.keys() == Settings.model_fields.keys()
    assert all(row["why"] for row in rows.values())
    assert (rows["delivery_limit"]["value"], rows["delivery_limit"]["source"]) == (7, "environment")
    assert (rows["api_port"]["value"], rows["api_port"]["source"]) == (8080, "default")
    words = run("config", "--changed", delivery_limit="7").stdout
    assert "CLOUD_TERMINAL_DELIVERY_LIMIT = 7  (environment; default 20)" in words
    assert "API_PORT" not in words


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """From the environment or from a file."""
    file = tmp_path / "key"
    file.write_text(SECRET)
    settings = {
        "amqp_url": f"amqp://u:{SECRET}@h/",
        "database_url": f"postgresql+asyncpg://u:{SECRET}@h/d",
        "secret_key_file": str(file),
        "hipay_username": "shop",
        "hipay_password": SECRET,
    }

    shown, rows = run("config", **settings), run("config", "--json", **settings)

    assert shown.exit_code == rows.exit_code == 0
    assert SECRET not in shown.output + rows.output
    assert (
        rows_of(rows)["secret_key"] | {"value": "(hidden)", "source": f"file {file}"}
        == (rows_of(rows)["secret_key"])
    )


def test_settings_that_no_process_starts_with_are_named() -> None:
    """With exit code 2, as by the process itself."""
    refused = run("config", delivery_limit="many")

    assert refused.exit_code == 2
    assert "CLOUD_TERMINAL_DELIVERY_LIMIT" in refused.output


def test_settings_fit_eighty_columns_and_no_color_leaves_none() -> None:
    """Only a setting with its value may be longer: it stays on one line, to be copied."""
    environment = {"COLUMNS": "80", "FORCE_COLOR": "1", "NO_COLOR": "1"}
    shown = CliRunner().invoke(
        app, ["config", "--changed"], env={**environment, variable("delivery_limit"): "7"}
    )
    lines = run("config").stdout.splitlines()

    assert [line for line in lines if len(line) > 80 and " = " not in line] == []
    assert "\x1b[33m" not in shown.stdout


@pytest.mark.parametrize("as_json", [False, True])
def test_a_missing_migration_is_exit_code_1_and_names_the_command(tmp_path: Path, as_json: bool) -> None:
    """Nothing is made by asking; after the migration the code is 0."""
    url = f"sqlite+aiosqlite:///{tmp_path}/data/shop.db"
    options = ["--json"] if as_json else []

    missing = run("db", "status", *options, database_url=url)
    made = (tmp_path / "data").exists()
    migrated = run("db", "migrate", database_url=url)
    current = run("db", "status", *options, database_url=url)

    assert (missing.exit_code, made, migrated.exit_code, current.exit_code) == (1, False, 0, 0)
    if as_json:
        assert json.loads(missing.stdout) == {
            "schema": None,
            "needed": "1.0001",
            "missing": ["1.0001"],
            "after": [],
        }
        assert json.loads(current.stdout)["missing"] == []
    else:
        assert "cloud-terminal db migrate" in missing.stdout


def test_a_warning_stays_off_what_a_verb_prints(tmp_path: Path) -> None:
    """A program reads standard output; the warning is on standard error."""
    file = tmp_path / "shop.db"
    url = f"sqlite+aiosqlite:///{file}"
    run("db", "migrate", database_url=url)
    file.chmod(0o644)

    shown = run("db", "status", "--json", database_url=url)

    assert json.loads(shown.stdout)["missing"] == []
    assert "open to other users" in shown.stderr


def test_the_document_is_the_apis() -> None:
    """With the settings of the installation."""
    document = json.loads(run("openapi", caller_wait_seconds="230").stdout)

    wait = document["paths"]["/v1/payments/{payment_id}"]["get"]["parameters"]
    assert "/v1/connector/order" in document["paths"]
    assert next(one for one in wait if one["name"] == "wait")["schema"]["maximum"] == 230
