"""The fields of a Concert message for people: tag, value, meaning, and the value in words."""

from collections.abc import Mapping
from dataclasses import dataclass

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
