"""The result of a payment as one value, and the event that ends or doubts a payment with it."""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from shared.payment.states import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The terminal's data beside its yes or no; each field is a column of `payments` with the same name."""

    #: Cents that were really paid, once it succeeded; lower than asked for after a partial approval.
    paid_cents: int | None = None
    #: AF's two digits.
    error_code: str | None = None
    #: AF as text for people.
    error_description: str | None = None
    authorisation_number: str | None = None
    #: First 6 digits at most and last 4.
    masked_card: str | None = None
    #: The protocol's CC.
    application: str | None = None
    #: AID of the card application.
    aid: str | None = None
    #: The protocol's CI: 0 any, 1 contact, 2 contactless, 3 magnetic stripe, 4 manual.
    card_read_mode: str | None = None
    #: Customer receipt, plain text.
    receipt: str | None = None
    #: Facts for the client that changed nothing, e.g. `partial_amount`; a stored payment's begin with those
    #: of its order.
    warnings: tuple[str, ...] = ()

    def shown(self) -> dict[str, str | None]:
        """Return the fields that clients read under their own names, in `payment` objects and events."""
        return {name: getattr(self, name) for name in _SHOWN}

    def to_json(self) -> dict[str, object]:
        """Return the fields that are set, for an evidence's detail."""
        return {name: value for name, value in asdict(self).items() if value}

    def with_warnings(self, earlier: tuple[str, ...]) -> "Result":
        """Return the result with a payment's earlier warnings before its own."""
        return replace(self, warnings=tuple(dict.fromkeys((*earlier, *self.warnings))))

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Result":
        """Return the result of a `to_json` text; other keys are ignored."""
        found = {name: value for name, value in values.items() if name in RESULT_FIELDS}
        return Result(**{**found, "warnings": tuple(found.get("warnings", ()))})


RESULT_FIELDS: Final = tuple(field.name for field in fields(Result))

#: Shown by names of the contract (`amount`, `errorCode`, `errorDescription`, `receipt`) or in another form.
_SHOWN_ELSEWHERE: Final = frozenset(
    {"paid_cents", "error_code", "error_description", "card_read_mode", "receipt", "warnings"}
)
_SHOWN: Final = tuple(name for name in RESULT_FIELDS if name not in _SHOWN_ELSEWHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One event that ends or doubts a payment, with its reason and result."""

    event: Event
    reason: str | None = None
    result: Result = Result()
    #: Masked details for the event in the payment's history.
    detail: dict[str, object] = field(default_factory=dict)
