"""Every table, for the migrations."""

from typing import Final

from sqlmodel import SQLModel

# Importing a file of tables registers them.
from shared.storage.db import tables
from shared.storage.webhooks import tables as webhook_tables

TABLE_FILES: Final = (tables, webhook_tables)

METADATA: Final = SQLModel.metadata
