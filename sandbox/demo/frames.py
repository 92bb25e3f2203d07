"""A Concert frame in words: each field's tag, value, meaning, and what the value says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.concert import fields as f
from shared.concert.allowed_fields import allowed_fields
from shared.concert.decode import Decoder
from shared.concert.fields import Action, Status

_SHORT_NAMES: Final = {
    f.PROTOCOL_VERSION: "version",
    f.SOFTWARE_ID: "software",
    f.POS_NUMBER: "register",
    f.AMOUNT: "amount",
    f.APPLICATION: "application",
    f.PRIVATE_DATA: "our reference",
    f.CONTRACT: "contract",
    f.READ_MODE: "read",
    f.RECEIPT_WANTED: "ticket wanted",
    f.AID: "AID",
}


@dataclass(frozen=True, slots=True)
class NamedField:
    """One field of a frame, masked."""

    tag: str
    value: str
    meaning: str
    #: What the value says, where it is a code or an amount.
    words: str | None

    @property
    def said(self) -> str:
        """The value, and what it says."""
        return self.value if self.words is None else f"{self.value} = {self.words}"

    @property
    def short_name(self) -> str:
        """One or two words for the tag, for frames in a few lines."""
        return _SHORT_NAMES.get(self.tag, self.meaning.partition(",")[0].partition(":")[0])


def masked_fields(data: bytes) -> dict[str, str]:
    """Return the fields of a whole frame, tag to value, card numbers masked and tickets left out."""
    decoder = Decoder()
    decoder.feed(data)
    return allowed_fields(decoder.frame(ended=True).fields)


def named_fields(fields: Mapping[str, str]) -> tuple[NamedField, ...]:
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
