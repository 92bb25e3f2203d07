"""Script of the coming payments: steps, each a row of the table, own changes, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from sandbox.cards import DECK, card_of_key
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.script.outcomes import ScriptedOutcome, UnknownOutcome, outcome_named

LONGEST_SCRIPT: Final = 1000
_OUTCOME: Final = "outcome"
_FIELDS: Final = frozenset(field.name for field in fields(Behaviour))


class BadScript(ValueError):
    """Raised for an invalid step; the message names the step and the problem."""


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """The behaviour of one coming payment."""

    outcome: ScriptedOutcome | None
    changes: Mapping[str, Any]

    @property
    def name(self) -> str:
        parts = [self.outcome.name] if self.outcome else []
        return ", ".join(parts + [f"{key}={value}" for key, value in self.changes.items()])

    def applied_to(self, usual: Behaviour) -> Behaviour:
        """Return the usual behaviour with this step's changes."""
        if self.outcome is not None:
            usual = self.outcome.applied_to(usual)
        return replace(usual, **self.changes)


def read_script(steps: Sequence[str | Mapping[str, Any]]) -> list[ScriptStep]:
    """Return the steps: `"refused_51"`, `"51"`, or `{"outcome": "slow", "delay_seconds": 3}`.

    Besides `outcome` a step takes every field of Behaviour. Raises BadScript.
    """
    if len(steps) > LONGEST_SCRIPT:
        raise BadScript(f"{len(steps)} steps, at most {LONGEST_SCRIPT}")
    return [_read_step(number, step) for number, step in enumerate(steps, start=1)]


def _read_step(number: int, step: str | Mapping[str, Any]) -> ScriptStep:
    try:
        if isinstance(step, str):
            return ScriptStep(outcome_named(step), {})
        name = step.get(_OUTCOME)
        outcome = None if name is None else outcome_named(str(name))
        changes = {key: value for key, value in step.items() if key != _OUTCOME}
        return ScriptStep(outcome, _checked(changes))
    except (UnknownOutcome, ValueError) as error:
        raise BadScript(f"step {number}: {error}") from error


def _checked(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = changes.keys() - _FIELDS
    if unknown:
        raise ValueError(f"no field {', '.join(sorted(unknown))}; there are {', '.join(sorted(_FIELDS))}")
    try:
        behaviour = TypeAdapter(Behaviour).validate_python(dict(changes))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if behaviour.card is not None and card_of_key(behaviour.card) is None:
        raise ValueError(f"no card {behaviour.card!r}; the deck has {', '.join(card.key for card in DECK)}")
    return {key: getattr(behaviour, key) for key in changes}
