"""Found payments, equal charges and given responses, as answers show them."""

from typing import Self

from pydantic import Field

from api.http.models import Omittable, ResponseBody, Time, known
from api.payments.models import Payment
from shared.runtime.clock import iso_time
from shared.storage.investigation.equal_charges import EqualCharges as Found
from shared.storage.investigation.responses import StoredResponse
from shared.storage.payments.snapshots import AnsweredPayment

_NEXT_PAGE = "The next page's `cursor`; left out on the last page."


def payment_object(found: AnsweredPayment) -> Payment:
    """Return a found payment as lists show it."""
    return Payment.of(found.payment, safe_to_retry=found.response.safe_to_retry)


class FoundPayment(ResponseBody):
    """A payment of any merchant."""

    payment: Payment
    merchant_id: str
    terminal_address: Omittable[str] = Field(None, description="The terminal's `address:port`.")

    @classmethod
    def of(cls, found: AnsweredPayment) -> Self:
        """Return a found payment with its merchant."""
        return cls(
            **known(
                payment=payment_object(found),
                merchant_id=found.payment.merchant_id,
                terminal_address=found.payment.terminal_address,
            )
        )


class FoundPaymentPage(ResponseBody):
    """One page of payments of any merchant."""

    payments: list[FoundPayment]
    next: Omittable[str] = Field(None, description=_NEXT_PAGE)


class EqualCharges(ResponseBody):
    """Payments of one card, amount and terminal near each other, side by side."""

    charged: int = Field(description="How many of the debits charged the card.")
    may_have_charged: int = Field(
        description="How many more may have: in session, in doubt, or contradicted by a proof."
    )
    given_back: int = Field(description="How many reversals and credits of them succeeded.")
    merchant_id: str
    terminal_address: Omittable[str] = None
    amount: int = Field(description="In cents: what each of the debits asked for.")
    payments: list[Payment] = Field(description="The oldest first, reversals and credits among them.")

    @classmethod
    def of(cls, found: Found) -> Self:
        """Return a group of at least one payment."""
        first = found.payments[0].payment
        return cls(
            **known(
                charged=found.charged,
                may_have_charged=found.may_have_charged,
                given_back=found.given_back,
                merchant_id=first.merchant_id,
                terminal_address=first.terminal_address,
                amount=first.amount_cents,
                payments=[payment_object(each) for each in found.payments],
            )
        )


class EqualChargesPage(ResponseBody):
    """One page of groups; a group on the border of two pages is on both."""

    groups: list[EqualCharges]
    next: Omittable[str] = Field(None, description=_NEXT_PAGE)


class GivenResponse(ResponseBody):
    """An HTTP answer about the payment that a client of its merchant was given."""

    at: Time
    status: int = Field(description="The HTTP status.")
    code: str = Field(
        description="`Success`, `Failed`, `accepted` (no outcome yet), or the error's code.",
        examples=["Success"],
    )
    request: str = Field(description="What was asked.", examples=["POST /v1/connector/order"])
    credential: str = Field(description="Whose credential it was.")
    client: Omittable[str] = Field(None, description="The client's IP address.")
    request_id: Omittable[str] = Field(None, description="`X-Request-Id`, as in the logs.")
    client_left: bool = Field(
        description="The client had closed its connection before: it does not know this answer."
    )

    @classmethod
    def of(cls, stored: StoredResponse) -> Self:
        """Return a stored response."""
        return cls(
            **known(
                at=iso_time(stored.at),
                status=stored.status,
                code=stored.code,
                request=stored.request,
                credential=stored.credential,
                client=stored.client,
                request_id=stored.request_id,
                client_left=stored.client_left,
            )
        )


class GivenResponses(ResponseBody):
    """The newest answers about a payment that its merchant's clients were given, the oldest of them first."""

    responses: list[GivenResponse]
