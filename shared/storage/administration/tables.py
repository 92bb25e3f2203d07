"""Tables of the audit trail and of operators' sessions.

Times are milliseconds since 1970 UTC by the database's clock.
"""

from sqlalchemy import Index
from sqlmodel import SQLModel

from shared.storage.db.schema.columns import identity, milliseconds, reference, text_column, text_key


class OperatorSessionRow(SQLModel, table=True):
    """An operator's session on the page."""

    __tablename__ = "operator_sessions"

    #: SHA-256 of the token in the operator's cookie.
    token_hash: str = text_key()
    credential_id: str = reference("credentials.id")
    created_at: int = milliseconds(nullable=False)
    #: Its last request, to the minute.
    seen_at: int = milliseconds(nullable=False)


class AuditRow(SQLModel, table=True):
    """An operator's action; append-only, by triggers of the database."""

    __tablename__ = "audit_trail"
    __table_args__ = (Index("audit_trail_by_subject", "subject", "id"),)

    id: int | None = identity()
    at: int = milliseconds(nullable=False)
    #: The operator's credential, or `USER@HOST` of a command on the machine with the database.
    by: str = text_column(nullable=False)
    #: The label of that credential at the time.
    by_name: str = text_column(nullable=False, default="")
    #: See `shared.storage.administration.audit_trail.Action`.
    action: str = text_column(nullable=False)
    #: The id of what it was done to: a merchant, credential, payment or delivery.
    subject: str = text_column(nullable=False, default="")
    reason: str | None = text_column()
    #: JSON object with further facts.
    detail: str = text_column(nullable=False, default="{}")
    #: JSON objects of the subject; null where there was none, or nothing of it changed.
    before: str | None = text_column()
    after: str | None = text_column()
