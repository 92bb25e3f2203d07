"""Script of the coming payments, and the choice of a payment's behaviour by script, amount or setting."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from sandbox.cards import DECK, card_of_key
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.script.outcomes import ScriptedOutcome, UnknownOutcome, outcome_named, outcome_of_amount
from sandbox.terminal.server.request import Request
from shared.concert.fields import Action

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


class BehaviourSelection:
    """Sources of the coming transactions' behaviour; the first one that gives one counts.

    `script` (a queue of steps), `choose`, `by_amount` (cents), the table of outcomes where
    `behaviour.amount_decides`, and `behaviour`. All may be changed at any time.
    """

    def __init__(
        self,
        behaviour: Behaviour | None,
        by_amount: Mapping[int, Behaviour] | None,
        choose: Callable[[Request], Behaviour | None] | None,
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.by_amount = dict(by_amount or {})
        self.choose = choose
        self.script: deque[ScriptStep] = deque()
        #: The last transaction's behaviour, where script or table decided: it applies to the next enquiry.
        self._scripted: Behaviour | None = None

    def behaviour_for(self, request: Request) -> Behaviour:
        """Return the behaviour for this request; only a transaction uses up a step of the script."""
        if request.is_operation:
            self._scripted = self._next_step()
            if self._scripted is not None:
                return self._scripted
        chosen = self.choose(request) if self.choose is not None else None
        if chosen is None and request.is_operation:
            chosen = self.by_amount.get(request.amount_cents) or self._by_table(request)
        elif chosen is None and request.action == Action.DUPLICATE and self._scripted is not None:
            chosen = replace(self.behaviour, enquiry=self._scripted.enquiry)
        return chosen or self.behaviour

    def greeting(self) -> str:
        """Return the next connection's greeting."""
        coming = self.script[0].applied_to(self.behaviour) if self.script else self.behaviour
        return coming.greeting

    def skip_unasked(self, greeting: str) -> None:
        """Use up the step that gave this greeting, since its connection ended without a request."""
        if self.script and greeting and self.greeting() == greeting:
            self.script.popleft()

    def forget_script(self) -> None:
        """Drop all steps of the script."""
        self.script.clear()
        self._scripted = None

    def _next_step(self) -> Behaviour | None:
        return self.script.popleft().applied_to(self.behaviour) if self.script else None

    def _by_table(self, request: Request) -> Behaviour | None:
        row = outcome_of_amount(request.amount_cents) if self.behaviour.amount_decides else None
        self._scripted = None if row is None else row.applied_to(self.behaviour)
        return self._scripted
