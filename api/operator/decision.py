"""What a person says in writing: a decision on a doubt, a request for a terminal; schemas and reading."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from api.connector.validation import BodyChecker
from shared.concert.mask import mask_card_numbers
from shared.payment.settlement import Result
from shared.storage.payments.operator import Decision

_PERSON: Final[dict[str, Any]] = {
    "name": {
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "pattern": "^[^\\u0000]*$",
        "description": "Who decides.",
        "examples": ["Jane Doe"],
    },
    "reason": {
        "type": "string",
        "minLength": 1,
        "maxLength": 500,
        "pattern": "^[^\\u0000]*$",
        "description": "Why: what was seen and where.",
        "examples": ["The terminal's journal shows it, ticket 0042."],
    },
}

RELEASE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A person's word that the terminal shows nothing of the payment any more.",
    "required": ["name", "reason"],
    "properties": _PERSON,
}

DECISION: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A person's word on a payment in doubt.",
    "required": ["decision", "name", "reason"],
    "properties": {
        "decision": {
            "type": "string",
            "enum": [decision.value for decision in Decision],
            "description": "`charged` makes it succeeded, `not_charged` aborted.",
            "examples": ["charged"],
        },
        **_PERSON,
        "amount": {
            "type": "integer",
            "minimum": 1,
            "maximum": 999_999_999_999,
            "description": "With `charged`: what was really paid, in cents, if not what was asked for.",
            "examples": [100],
        },
        "authorisation_number": {
            "type": "string",
            "maxLength": 16,
            "pattern": "^[!-~]*$",
            "description": "With `charged`: number of the authorisation, from the ticket.",
            "examples": ["184117"],
        },
    },
}


@dataclass(frozen=True, slots=True)
class Person:
    """Who speaks, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """A decision that was read, ready to be stored as evidence."""

    decision: Decision
    person: Person
    result: Result


def parse_release(body: bytes, nesting_limit: int) -> Person:
    """Raises UnreadableBody and InvalidRequest."""
    return _person(_release_checker().read(body, nesting_limit))


def parse_decision(body: bytes, nesting_limit: int) -> DecisionRequest:
    """Raises UnreadableBody and InvalidRequest."""
    said = _decision_checker().read(body, nesting_limit)
    decision = Decision(said["decision"])
    if decision is Decision.NOT_CHARGED:
        # No terminal gave a code: the caller's answer says `00`.
        return DecisionRequest(decision, _person(said), Result(error_code="00"))
    number = said.get("authorisation_number")
    result = Result(
        paid_cents=None if "amount" not in said else int(said["amount"]),
        authorisation_number=None if number is None else mask_card_numbers(number),
    )
    return DecisionRequest(decision, _person(said), result)


def _person(said: dict[str, Any]) -> Person:
    return Person(mask_card_numbers(said["name"]), mask_card_numbers(said["reason"]))


@cache
def _release_checker() -> BodyChecker:
    return BodyChecker(RELEASE)


@cache
def _decision_checker() -> BodyChecker:
    return BodyChecker(DECISION)
