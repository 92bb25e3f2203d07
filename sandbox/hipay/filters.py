"""Filters of the Console's list."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sandbox.hipay.rules.transaction import Transaction, facts_of
from sandbox.pages.formats import day

_Day = Annotated[str, Field(pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]


class Filters(BaseModel):
    """The query of the list; an empty field does not filter."""

    model_config = ConfigDict(frozen=True)

    #: A part of the order's id, letters of either case.
    order_id: Annotated[str, Field(max_length=256)] = ""
    brand: Annotated[str, Field(max_length=64)] = ""
    #: First and last day (UTC) on which the transaction began, `2026-03-05`.
    from_day: _Day = ""
    to_day: _Day = ""

    @property
    def is_empty(self) -> bool:
        return not (self.order_id or self.brand or self.from_day or self.to_day)

    def apply(self, transactions: Iterable[Transaction]) -> list[Transaction]:
        """Return the transactions that pass the filters, the newest first."""
        return [one for one in reversed(list(transactions)) if self._shows(one)]

    def _shows(self, transaction: Transaction) -> bool:
        began = day(transaction.created_at_ms)
        return (
            self.order_id.casefold() in transaction.order.order_id.casefold()
            and self.brand in ("", facts_of(transaction).brand)
            and (not self.from_day or began >= self.from_day)
            and (not self.to_day or began <= self.to_day)
        )
