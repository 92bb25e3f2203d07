"""Explanations for people: the names of the domain, and the fields of a Concert message."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.demo.steps import DATABASE, NOTIFIER
from sandbox.tracing.steps import Step
from shared.concert import fields as f
from shared.concert.decode import Decoder
from shared.concert.fields import Action, Status
from shared.concert.mask import allowed_fields


@dataclass(frozen=True, slots=True)
class NamedField:
    """One field of a message, masked."""

    tag: str
    value: str
    meaning: str
    #: The value in words, where it is a code or an amount.
    words: str | None

    @property
    def described(self) -> str:
        """The value, and what it stands for."""
        return self.value if self.words is None else f"{self.value} = {self.words}"


def masked_fields(data: bytes) -> dict[str, str]:
    """Return the fields of a whole message, tag to value, card numbers masked and receipts left out."""
    decoder = Decoder()
    decoder.feed(data)
    return allowed_fields(decoder.frame(ended=True).fields)


def named_fields(fields: Mapping[str, str]) -> tuple[NamedField, ...]:
    """Return the fields with their meanings."""
    return tuple(NamedField(tag, value, f.meaning(tag), _words(tag, value)) for tag, value in fields.items())


def _words(tag: str, value: str) -> str | None:
    match tag:
        case f.AMOUNT:
            return euros(int(value)) if value.isascii() and value.isdigit() else None
        case f.ACTION:
            return Action(value).name.lower() if value in frozenset(Action) else None
        case f.STATUS:
            return Status(value).name.lower().replace("_", " ") if value in frozenset(Status) else None
        case f.CURRENCY:
            return next((name for name, code in f.CURRENCIES.items() if code == value), None)
        case f.APPLICATION:
            return f.APPLICATIONS.get(value)
        case f.READ_MODE:
            return f.READ_MODES.get(value)
        case f.ANSWER_CODE:
            return f.ANSWER_CODES.get(value[:2])
        case _:
            return None


def euros(cents: int) -> str:
    """Return e.g. `42.50 EUR`."""
    return f"{cents // 100}.{cents % 100:02d} EUR"


PARTIES: Final = {
    "register": "the shop's cash register (POS); any HTTP client can be one",
    "API": "takes orders over HTTP, answers with the result (this project)",
    DATABASE: "the truth; a payment is stored before anything is sent",
    "worker": "has one session at a time with a terminal (this project)",
    "terminal": "the card terminal on the counter",
    "customer": "whoever pays; the sandbox plays one",
    "Preludd": "the payment gateway behind the terminal",
    "Nepting": "the gateway's switch to the banks",
    "acquirer": "the merchant's bank",
    "issuer": "the card's bank, which decides",
    NOTIFIER: "delivers messages to HiPay and merchants (this project)",
    "HiPay": "the payment platform; its back office is the Console",
    "merchant": "the shop's own server",
}
TERMS: Final = {
    "claimed": "terminal lock: only its owner talks to the terminal",
    "in_doubt": "in doubt: the terminal may have charged; only a proof ends it",
    "takeover": "takeover: another worker continues for one that stopped",
    "identification": "identification: Concert's question for the terminal itself",
    "enquiry": "enquiry: Concert's question for the last transaction; never pays",
    Step.TERMINAL_CALLED: "Concert: the French protocol of registers and terminals",
    Step.AUTHORISATION_ASKED: "authorisation: the card's bank agrees to pay",
    Step.ORDER_NOTIFICATION: "order notification: HiPay learns what is being sold",
    Step.AUTHORISATION_PUSHED: "push: the gateway reports to HiPay what the terminal did",
    Step.MERCHANT_NOTIFIED: "notification: HiPay's message to the shop",
    Step.WEBHOOK_SENT: "webhook: this project's message to the shop",
    Step.EVIDENCE_REPORTED: "evidence: what the gateway knows, for payments in doubt",
    Step.COLLECTION_SENT: "collection: the day's transactions go to the merchant's bank",
}
