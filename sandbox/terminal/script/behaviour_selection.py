"""Selection of a transaction's behaviour."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.script.outcomes import outcome_of_amount
from sandbox.terminal.script.script import ScriptStep
from sandbox.terminal.server.request import Request
from shared.concert.fields import Action


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
