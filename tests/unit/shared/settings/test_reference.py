"""The settings' reference page is up to date."""

from pathlib import Path

from shared.settings.fields import variable
from shared.settings.reference import render_reference
from shared.settings.settings import Settings

PAGE = Path("docs/reference/settings.md")


def test_the_reference_page_is_not_stale() -> None:
    """`python -m shared.settings.reference > docs/reference/settings.md` renews it."""
    assert PAGE.read_text(encoding="utf-8") == render_reference()


def test_every_setting_is_in_the_reference_once_with_its_reason() -> None:
    """No setting is undocumented."""
    rows = [line for line in render_reference().splitlines() if line.startswith("| `CLOUD_TERMINAL_")]

    assert sorted(row.split("`")[1] for row in rows) == sorted(map(variable, Settings.model_fields))
    assert all(len(row.split("|")[3].split()) >= 3 for row in rows)
