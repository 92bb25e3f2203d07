"""Table of the responses that clients were given."""

from sqlalchemy import Index
from sqlmodel import SQLModel

from shared.storage.db.schema.columns import flag, integer, milliseconds, text_column, text_key


class ResponseRow(SQLModel, table=True):
    """An HTTP answer about a payment that a merchant's client was given; append-only.

    It is written up to a second after the answer, without a foreign key: a batch must not fail for one of
    its rows.
    """

    __tablename__ = "responses"
    __table_args__ = (Index("responses_of_payment", "payment_id", "at", "id"),)

    #: The process that gave it, and its number there, so that it is stored once.
    id: str = text_key()
    payment_id: str = text_column(nullable=False)
    #: When its first byte was handed to the connection.
    at: int = milliseconds(nullable=False)
    #: The HTTP status.
    status: int = integer(nullable=False)
    #: `Success`, `Failed`, `accepted`, or the error's code.
    code: str = text_column(nullable=False)
    #: Method and path of the request.
    request: str = text_column(nullable=False)
    #: The client's credential.
    credential: str = text_column(nullable=False)
    #: The client's IP address, as a trusted proxy named it.
    client: str | None = text_column()
    #: `X-Request-Id`, as in the logs.
    request_id: str | None = text_column()
    #: The client had closed its connection before.
    client_left: bool = flag()
