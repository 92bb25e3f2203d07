"""Totals of a period as they are asked for and answered, for merchants and for operators."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, timedelta
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.http.csv_text import MEDIA_TYPE, csv_lines
from api.http.errors import InvalidQuery
from api.http.json_text import answer
from api.http.models import Choice, Omittable, ResponseBody, known
from api.http.query import Text
from api.investigation.exports import Format
from shared.concert.fields import APPLICATIONS
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.investigation import totals
from shared.storage.investigation.periods import Period
from shared.storage.investigation.totals import By, TooManyGroups

DAYS_AT_MOST: Final = 366


def _date(given: Any) -> Any:
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        raise PydanticCustomError("date", "Input should be a day like 2026-03-05") from None


Day = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]


class Total(ResponseBody):
    """Counts and sums in cents of one group; what the totals are not by is left out."""

    day: Omittable[str] = Field(None, description="The local day.", json_schema_extra={"format": "date"})
    merchant_id: Omittable[str] = None
    terminal_address: Omittable[str] = None
    terminal_id: Omittable[str] = Field(None, description="The registered terminal of that address.")
    application: Omittable[str] = Field(None, description="Left out also where the terminal named none.")
    application_name: Omittable[str] = None
    operation: Omittable[str] = None
    count: int = Field(description="Payments that succeeded.")
    cents: int = Field(description="What was really paid, or given back.")
    open_count: int = Field(description="Payments in session or in doubt: they may have succeeded.")
    open_cents: int
    contradicted_count: int = Field(description="Payments whose stored outcome a proof contradicts.")
    contradicted_cents: int

    @classmethod
    def of(cls, total: totals.Total) -> Self:
        """Return stored totals as an answer shows them."""
        values: dict[str, Any] = {field.name: getattr(total, field.name) for field in fields(total)}
        day = None if total.day is None else total.day.isoformat()
        return cls(
            **known(**{**values, "day": day}, application_name=APPLICATIONS.get(total.application or ""))
        )


_COLUMNS: Final = tuple(Total.model_fields)


class Totals(ResponseBody):
    """Totals of whole local days."""

    time_zone: str
    from_: str = Field(alias="from", json_schema_extra={"format": "date"})
    to: str = Field(description="The last day, included.", json_schema_extra={"format": "date"})
    totals: list[Total]


#: Answers of both routes.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": Totals, "content": {"text/csv": {"schema": {"type": "string"}}}}
}


class AskedTotals:
    """The parameters of totals."""

    def __init__(
        self,
        from_: Annotated[Day, Query(alias="from", description="The first day.")],
        to: Annotated[
            Omittable[Day], Query(description="The last day, included; left out: the first.")
        ] = None,
        by: Annotated[
            Text, Query(description="What to group by, with commas between: `day,terminal`.")
        ] = "day,terminal,application,operation",
        time_zone: Annotated[Text, Query(description="Whose days; left out: the installation's.")] = None,
        terminal_address: Annotated[Text, Query(description="Of this `address:port` only.")] = None,
        form: Annotated[
            Omittable[Choice[Format]], Query(alias="format", description="`csv`; left out: JSON.")
        ] = None,
    ) -> None:
        self.from_: Final = from_
        self.to: Final = to or from_
        self.by: Final = by or ""
        self.time_zone: Final = time_zone
        self.terminal_address: Final = terminal_address
        self.form: Final = form

    def dimensions(self) -> list[By]:
        """Return what to group by. Raises InvalidQuery."""
        try:
            return [By(name) for name in self.by.split(",")]
        except ValueError:
            raise InvalidQuery("by", f"The parameter should be some of: {', '.join(By)}.") from None

    def period(self, settings: Settings) -> Period:
        """Return the days. Raises InvalidQuery."""
        if not timedelta() <= self.to - self.from_ < timedelta(days=DAYS_AT_MOST):
            raise InvalidQuery(
                "to", f"The days should be 1 to {DAYS_AT_MOST}, the last not before the first."
            )
        if not date(1970, 1, 2) <= self.from_ <= self.to <= date(9999, 12, 30):
            raise InvalidQuery("from", "There was nothing on that day.")
        try:
            return Period(self.from_, self.to, ZoneInfo(self.time_zone or settings.time_zone))
        except (ValueError, KeyError, OSError):
            raise InvalidQuery("time_zone", "The parameter should be a name like Europe/Paris.") from None


Asked = Annotated[AskedTotals, Depends()]


async def answer_totals(
    database: Database, settings: Settings, asked: AskedTotals, *, merchant_id: str | None
) -> Response:
    """Return the totals as JSON or CSV. Raises InvalidQuery, DatabaseUnavailable."""
    period, by = asked.period(settings), asked.dimensions()
    try:
        found = await totals.totals(
            database,
            period,
            by,
            merchant_id=merchant_id,
            terminal_address=asked.terminal_address,
            longest_ms=totals.longest_ms(settings.queue_deadline_seconds),
        )
    except TooManyGroups:
        raise InvalidQuery(
            "by", f"There are more than {totals.GROUPS_AT_MOST} groups; ask for fewer days or a terminal."
        ) from None
    shown = [Total.of(each).shown() for each in found]
    if asked.form is Format.CSV:
        return _csv(shown)
    whole = Totals.model_validate(
        {"time_zone": period.zone.key, "from": str(period.first), "to": str(period.last), "totals": shown}
    )
    return answer(200, whole.model_dump(mode="json", exclude_unset=True, by_alias=True))


def _csv(shown: Sequence[dict[str, Any]]) -> Response:
    rows = [[total.get(name) for name in _COLUMNS] for total in shown]
    return Response(csv_lines([_COLUMNS, *rows]), media_type=MEDIA_TYPE)
