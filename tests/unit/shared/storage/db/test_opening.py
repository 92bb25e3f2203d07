"""Opening the database as every process does."""

from pathlib import Path

import pytest

from shared.settings.load import load_settings
from shared.storage.db.opening import opened_database
from shared.storage.db.schema.version import SchemaTooOld


async def test_a_database_that_does_not_exist_is_an_error_and_not_made(tmp_path: Path) -> None:
    """A mistyped path must not begin an empty database; the message names the command that makes one."""
    missing = tmp_path / "data" / "shop.db"

    with pytest.raises(SchemaTooOld, match="run `cloud-terminal db migrate`") as caught:
        async with opened_database(load_settings(database_url=f"sqlite+aiosqlite:///{missing}")):
            raise AssertionError("opened")

    assert str(missing) in str(caught.value)
    assert not missing.parent.exists()
