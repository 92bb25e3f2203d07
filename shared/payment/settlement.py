"""What a session, a late answer or other evidence says about a payment, ready to be stored."""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from shared.payment.states import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the terminal told us beside its yes or no. Amounts in cents; the card is masked."""

    paid_cents: int | None = None
    #: AF's two digits, and its meaning in words.
    error_code: str | None = None
    error_description: str | None = None
    authorisation_number: str | None = None
    masked_card: str | None = None
    application: str | None = None
    aid: str | None = None
    card_read_mode: str | None = None
    #: Customer receipt, plain text.
    receipt: str | None = None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the fields that are set, for an evidence's detail."""
        return {name: value for name, value in asdict(self).items() if value}

    def with_warnings(self, earlier: tuple[str, ...]) -> "Result":
        """Return it with a payment's earlier warnings before its own."""
        return replace(self, warnings=tuple(dict.fromkeys((*earlier, *self.warnings))))

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Result":
        """Read `to_json` back; keys that are not a result's are passed over."""
        known = {field.name for field in fields(Result)}
        found = {name: value for name, value in values.items() if name in known}
        return Result(**{**found, "warnings": tuple(found.get("warnings", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One event that ends or doubts a payment, with its reason and what goes into the history."""

    event: Event
    reason: str | None = None
    result: Result = Result()
    #: For the event in the history: what was noticed, masked.
    detail: dict[str, object] = field(default_factory=dict)
