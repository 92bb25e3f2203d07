"""Tables of the responses that clients were given, and of stored totals."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index
from sqlmodel import Field, SQLModel

from shared.storage.db.schema.columns import flag, identity, integer, milliseconds, text_column, text_key


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


class TotalledDayRow(SQLModel, table=True):
    """A past day of a time zone whose totals are stored; counted again, it is another row."""

    __tablename__ = "totalled_days"
    __table_args__ = (
        Index("totalled_days_of_zone", "zone", "day", unique=True),
        # An id that a reader has found never comes to mean another day.
        {"sqlite_autoincrement": True},
    )

    id: int | None = identity()
    #: A name like `Europe/Paris`.
    zone: str = text_column(nullable=False)
    #: Days since 1970-01-01.
    day: int = integer(nullable=False)
    #: The day's midnights in that zone, the second excluded.
    starts_at: int = milliseconds(nullable=False)
    ends_at: int = milliseconds(nullable=False)


class DayTotalRow(SQLModel, table=True):
    """Counts and sums in cents of a totalled day's payments, as `totals.Total` describes them."""

    __tablename__ = "day_totals"

    totalled_day: int = Field(
        sa_column=Column(BigInteger, ForeignKey("totalled_days.id"), primary_key=True, autoincrement=False)
    )
    #: Empty: the sums over all merchants.
    merchant_id: str = text_key()
    operation: str = text_key()
    #: Empty where the terminal named none.
    application: str = text_key()
    count: int = integer(nullable=False, is_big=True)
    cents: int = integer(nullable=False, is_big=True)
    open_count: int = integer(nullable=False, is_big=True)
    open_cents: int = integer(nullable=False, is_big=True)
    contradicted_count: int = integer(nullable=False, is_big=True)
    contradicted_cents: int = integer(nullable=False, is_big=True)


class LateChangeRow(SQLModel, table=True):
    """A change of a payment of a day that may be totalled already, noted by a trigger of `payments`."""

    __tablename__ = "late_changes"
    __table_args__ = (Index("late_changes_by_time", "at"),)

    id: int | None = identity()
    #: The transaction's time, before or after the change.
    at: int = milliseconds(nullable=False)
