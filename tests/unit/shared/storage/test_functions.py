"""The states that PostgreSQL's functions write are those of the table of transitions."""

import re
from typing import Final

from shared.payment.states import TRANSITIONS, State
from shared.storage.functions.catalogue import FUNCTIONS

#: A payment's update: the state that it writes and the one that it asks for.
_UPDATE: Final = re.compile(
    r"UPDATE payments(?: p)? SET state = '(\w+)'.*?\bstate(?: \|\| '')? = '(\w+)'", re.DOTALL
)


def test_a_function_that_names_states_moves_a_payment_as_the_table_does() -> None:
    moves = [move for function in FUNCTIONS for move in _UPDATE.findall(function.definition)]

    assert len(moves) >= 2
    for now, before in moves:
        assert State(now) in TRANSITIONS[State(before)].values()
