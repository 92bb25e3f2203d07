"""Every table, for the migrations."""

from typing import Final

from sqlmodel import SQLModel

# Importing a file of tables registers them.
from shared.storage import notification_tables, tables

TABLE_FILES: Final = (tables, notification_tables)

METADATA: Final = SQLModel.metadata
