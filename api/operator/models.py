"""Bodies of the operators' requests, and their answers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.http.models import NOT_NUL, WHOLE, Omittable, RequestBody, ResponseBody, Time
from api.investigation.models import EqualCharges, GivenResponse
from api.operator.acting import actor_of
from api.payments.models import Accepted, HistoryEvent, Payment, StoredEvidence
from api.webhooks.delivery_models import AnyDeliveryWithAttempts
from shared.concert.mask import mask_card_numbers
from shared.payment.payment import Result
from shared.storage.administration.audit_trail import Actor
from shared.storage.terminals.merchants import Credential

MAXIMUM_AMOUNT_CENTS = 999_999_999_999


class Release(RequestBody):
    """An operator's statement that the terminal shows nothing of the payment any more."""

    name: Omittable[Annotated[str, Field(min_length=1, max_length=100, pattern=NOT_NUL)]] = Field(
        None, description="Who decides; by default the credential's label.", examples=["Jane Doe"]
    )
    reason: str = Field(
        min_length=1,
        max_length=500,
        pattern=NOT_NUL,
        description="Why: what was seen and where.",
        examples=["The terminal's journal shows it, receipt 0042."],
    )

    def actor(self, operator: Credential) -> Actor:
        """Return who decides and why, card numbers masked."""
        return actor_of(operator, self.reason, self.name)


class Decision(Release):
    """An operator's decision on a payment in doubt."""

    decision: Literal["charged", "not_charged"] = Field(
        description="`charged` makes it succeeded, `not_charged` aborted.", examples=["charged"]
    )
    amount: Omittable[Annotated[int, Field(ge=1, le=MAXIMUM_AMOUNT_CENTS), WHOLE]] = Field(
        None,
        description="With `charged`: what was really paid, in cents, if not what was asked for.",
        examples=[100],
    )
    authorisation_number: Omittable[Annotated[str, Field(max_length=16, pattern="^[!-~]*$")]] = Field(
        None,
        description="With `charged`: number of the authorisation, from the receipt.",
        examples=["184117"],
    )

    @property
    def result(self) -> Result:
        """The decoded result that the decision stands for."""
        if self.decision == "not_charged":
            # No terminal gave a code: the answer has `00`.
            return Result(error_code="00")
        number = self.authorisation_number
        return Result(
            paid_cents=self.amount,
            authorisation_number=None if number is None else mask_card_numbers(number),
        )


class DecisionTimes(ResponseBody):
    """Seconds until each decision may be taken; 0: now."""

    charged: float
    not_charged: float


class Case(ResponseBody):
    """A payment with everything that is known of it."""

    payment: Payment
    merchant_id: str
    terminal_address: str | None = Field(description="The terminal's `address:port`.")
    evidence: list[StoredEvidence]
    in_doubt_seconds: Omittable[float] = Field(None, description="The age of the doubt.")
    decision_in_seconds: Omittable[DecisionTimes] = None
    events: Omittable[list[HistoryEvent]] = Field(None, description="The history, of one payment.")


class Facts(Case):
    """Everything that is stored about one payment."""

    receipt: Omittable[str] = Field(None, description="The customer's receipt, as text.")
    sent: Omittable[dict[str, Any]] = Field(
        None, description="The very fields that were sent to the terminal, by tag; card numbers are masked."
    )
    answered: Omittable[dict[str, Any]] = Field(
        None, description="The very fields that the terminal answered; left out where no answer was read."
    )
    responses: list[GivenResponse] = Field(
        description="Who was told what and when: the newest two hundred answers that clients were given."
    )
    deliveries: list[AnyDeliveryWithAttempts] = Field(
        description="The newest hundred notifications of HiPay and the merchant, with their attempts."
    )
    equal_charges: EqualCharges = Field(
        description="This payment and those of the same card, amount and terminal within an hour."
    )


class CasePage(ResponseBody):
    """One page of payments."""

    payments: list[Case]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")


class Settler(ResponseBody):
    """The one who settled a doubt."""

    source: str = Field(description="The kind of evidence: `operator`, `enquiry`, `gateway` and others.")
    name: Omittable[str] = Field(None, description="The operator's name, or the gateway's or worker's.")
    by: Omittable[str] = Field(None, description="The operator's credential.")
    decision: Omittable[str] = None
    at: Time


class Settled(Accepted):
    """A payment whose doubt is settled, and by whom."""

    settled_by: Omittable[Settler] = None
    is_new: bool = Field(description="False: the same was decided before.")
