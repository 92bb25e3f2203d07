"""Table of tasks that one process at a time does."""

from sqlmodel import SQLModel

from shared.storage.db.schema.columns import milliseconds, text_column, text_key


class TaskRow(SQLModel, table=True):
    """A task, its owner and the place it has come to."""

    __tablename__ = "tasks"

    name: str = text_key()
    #: The process that does it; null: none.
    owner: str | None = text_column()
    #: Another process may take it over from then on.
    lease_until: int | None = milliseconds()
    started_at: int | None = milliseconds()
    #: The end of the last run that ended: before `started_at` while it runs, and after one that did not end.
    ended_at: int | None = milliseconds()
    #: The last payment whose old deliveries were deleted: its creation time and id.
    place_created_at: int | None = milliseconds()
    place_id: str | None = text_column()
