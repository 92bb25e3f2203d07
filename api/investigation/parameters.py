"""Parameters of searches, which merchants and operators share."""

from typing import Annotated, Final

from fastapi import Depends, Query
from pydantic import Field

from api.http.models import Choice, Omittable
from api.http.query import DIGITS, Text, TimeParameter
from shared.payment.payment import Operation
from shared.payment.states import State
from shared.storage.investigation.search import Filter

_MAXIMUM_CENTS: Final = 999_999_999

_Cents = Annotated[Omittable[Annotated[int, Field(ge=0, le=_MAXIMUM_CENTS)]], DIGITS]
_LastFour = Omittable[Annotated[str, Field(pattern="^[0-9]{4}$")]]
_Number = Omittable[Annotated[str, Field(pattern="^[!-~]{1,16}$")]]
_ReceiptNumber = Omittable[Annotated[str, Field(pattern="^[0-9]{2,20}$")]]

#: The time within which two equal charges are near each other.
WithinMinutes = Annotated[
    int,
    Query(ge=1, le=1440, description="How many minutes apart two equal charges are shown together."),
    DIGITS,
]
WITHIN_MINUTES: Final = 60


async def _filter(
    order_id: Annotated[Text, Query(description="Attempts of this order only.")] = None,
    card: Annotated[_LastFour, Query(description="The last four digits of the card's number.")] = None,
    amount: Annotated[
        _Cents, Query(description="Of exactly these cents: really paid, else asked for.")
    ] = None,
    amount_from: Annotated[_Cents, Query(description="Of these cents or more.")] = None,
    amount_to: Annotated[_Cents, Query(description="Of these cents or fewer.")] = None,
    authorisation_number: Annotated[
        _Number, Query(description="The number of the authorisation, as receipts show it.")
    ] = None,
    receipt_number: Annotated[
        _ReceiptNumber,
        Query(
            description="Digits that the customer's receipt contains, as it prints them. Beside a terminal, "
            "card or time: alone it is slow."
        ),
    ] = None,
    terminal_address: Annotated[Text, Query(description="On this `address:port` only.")] = None,
    state: Annotated[Omittable[Choice[State]], Query(description="In this state only.")] = None,
    operation: Annotated[Omittable[Choice[Operation]], Query(description="Of this operation only.")] = None,
    created_from: Annotated[TimeParameter, Query(description="Accepted at this time or later.")] = None,
    created_to: Annotated[TimeParameter, Query(description="Accepted before this time.")] = None,
) -> Filter:
    return Filter(
        order_id=order_id,
        card_last_four=card,
        authorisation_number=authorisation_number,
        receipt_number=receipt_number,
        terminal_address=terminal_address,
        state=state,
        operation=operation,
        amount_from=amount_from if amount is None else amount,
        amount_to=amount_to if amount is None else amount,
        created_from=created_from,
        created_before=created_to,
    )


#: The parameters of a search, of any merchant.
Search = Annotated[Filter, Depends(_filter)]

PAGE_DESCRIPTION: Final = (
    "One page. A page looks through 10,000 payments at most: it may have fewer than `limit`, even none, and "
    "a `next` all the same. What is accepted meanwhile is newer than every page that follows."
)
