"""The deck of test cards with their accounts. No bank issued any of these numbers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Mode(StrEnum):
    """The way a card is read."""

    CONTACT = "contact"
    CONTACTLESS = "contactless"


class Brand(StrEnum):
    """The payment product, by HiPay's name for it."""

    CB = "cb"
    VISA = "visa"
    MASTERCARD = "mastercard"
    AMERICAN_EXPRESS = "american-express"


class AccountStatus(StrEnum):
    """The issuer's restriction of an account."""

    ACTIVE = "active"
    #: Restricted: ISO 8583 code 62.
    BLOCKED = "blocked"
    #: 41.
    LOST = "lost"
    #: 43.
    STOLEN = "stolen"
    #: Kept by the merchant, code 04.
    RETAINED = "retained"
    #: Refused without a reason, code 05.
    REFUSED = "refused"


#: Payment application (field CC) by brand's family and way of reading.
_BANK_CARD: Final = {Mode.CONTACT: "001", Mode.CONTACTLESS: "00B"}
_AMEX: Final = {Mode.CONTACT: "002", Mode.CONTACTLESS: "00D"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card of the deck. `key` names it in scripts, `label` on pages."""

    key: str
    label: str
    pan: str
    #: YYMM, as on the card.
    expiry: str
    brand: Brand
    #: First line of a receipt.
    scheme: str
    aid: str
    modes: tuple[Mode, ...] = (Mode.CONTACT, Mode.CONTACTLESS)
    #: The card itself asks for an authorisation whatever the amount; else the terminal's rules decide.
    always_online: bool = False
    status: AccountStatus = AccountStatus.ACTIVE
    #: What may still be spent, in cents; None: without limit.
    available_cents: int | None = None
    #: Most that one payment may cost, in cents; None: without limit.
    payment_limit_cents: int | None = None

    def application(self, mode: Mode) -> str:
        """Return the payment application, e.g. `00B` for a contactless CB, Visa or Mastercard."""
        return (_AMEX if self.brand is Brand.AMERICAN_EXPRESS else _BANK_CARD)[mode]


_AID: Final = {
    Brand.CB: "A0000000421010",
    Brand.VISA: "A0000000031010",
    Brand.MASTERCARD: "A0000000041010",
    Brand.AMERICAN_EXPRESS: "A00000002501",
}
_SCHEME: Final = {
    Brand.CB: "CARTE BANCAIRE",
    Brand.VISA: "VISA",
    Brand.MASTERCARD: "MASTERCARD",
    Brand.AMERICAN_EXPRESS: "AMERICAN EXPRESS",
}


def _card(
    key: str,
    label: str,
    pan: str,
    brand: Brand,
    *,
    expiry: str = "4912",
    modes: tuple[Mode, ...] = (Mode.CONTACT, Mode.CONTACTLESS),
    always_online: bool = False,
    status: AccountStatus = AccountStatus.ACTIVE,
    available_cents: int | None = None,
    payment_limit_cents: int | None = None,
) -> Card:
    return Card(
        key=key,
        label=label,
        pan=pan,
        expiry=expiry,
        brand=brand,
        scheme=_SCHEME[brand],
        aid=_AID[brand],
        modes=modes,
        always_online=always_online,
        status=status,
        available_cents=available_cents,
        payment_limit_cents=payment_limit_cents,
    )


#: The first one is presented where nothing else is chosen.
DECK: Final[tuple[Card, ...]] = (
    _card("cb", "CB", "4970101234567893", Brand.CB),
    _card("visa", "Visa", "4111111111111111", Brand.VISA),
    _card("mastercard", "Mastercard", "5555555555554444", Brand.MASTERCARD),
    _card("amex", "American Express", "378282246310005", Brand.AMERICAN_EXPRESS),
    _card("cb-online", "CB, always online", "4970101111111112", Brand.CB, always_online=True),
    _card(
        "mastercard-contact",
        "Mastercard without contactless, always online",
        "5105105105105100",
        Brand.MASTERCARD,
        modes=(Mode.CONTACT,),
        always_online=True,
    ),
    _card("visa-poor", "Visa with 50.00 left", "4012888888881881", Brand.VISA, available_cents=5000),
    _card(
        "amex-limited",
        "American Express, 100.00 a payment",
        "371449635398431",
        Brand.AMERICAN_EXPRESS,
        payment_limit_cents=10000,
    ),
    _card(
        "visa-refused",
        "Visa, refused by its bank",
        "4000000000000002",
        Brand.VISA,
        always_online=True,
        status=AccountStatus.REFUSED,
    ),
    _card(
        "cb-blocked",
        "CB, blocked",
        "4970102222222228",
        Brand.CB,
        always_online=True,
        status=AccountStatus.BLOCKED,
    ),
    _card("cb-lost", "CB, lost", "4970103333333334", Brand.CB, always_online=True, status=AccountStatus.LOST),
    _card(
        "mastercard-stolen",
        "Mastercard, stolen",
        "2223003122003222",
        Brand.MASTERCARD,
        always_online=True,
        status=AccountStatus.STOLEN,
    ),
    _card("cb-expired", "CB, expired", "4970104444444440", Brand.CB, expiry="2001", always_online=True),
)


def card_of_key(key: str) -> Card | None:
    """Return the deck's card of that key, or None."""
    return next((card for card in DECK if card.key == key), None)


def card_of_pan(pan: str) -> Card | None:
    """Return the deck's card of that number, or None."""
    return next((card for card in DECK if card.pan == pan), None)
