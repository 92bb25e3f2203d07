"""Generator of the page of scripted outcomes."""

import sys

from sandbox.terminal.script.outcomes import OUTCOMES, ScriptedOutcome

HEAD = """# Scripted outcomes

<!-- The output of `python -m sandbox.terminal.script.outcomes_reference`; a test says when it is stale. -->

You choose the outcome of each payment on the virtual terminal:

- **by the last two digits of its amount**: 12.51 euros are refused for lack of funds. On for
  `cloud-terminal virtual-terminal` and the sandbox (`--no-amount-table` turns it off), off for a
  `VirtualTerminal` in your own tests unless its `Behaviour(amount_decides=True)`. Other amounts follow the
  terminal's settings.
  The amount of a credit or reversal chooses, too: the reversal of 12.33 euros loses its answer as its debit
  did. To reverse such a debit without a fault, script its reversal: `{"next": ["usual"]}`;
- **by name**: `--behaviour NAME` for every payment, or for the next ones by the control API,
  `POST /script {"next": ["refused_51", "lost_answer"]}`; the two digits are a name, too;
- **by hand** on the terminal's screen.

A script comes first, then `--outcome-for AMOUNT=...`, then the table. `cloud-terminal sandbox outcomes`
prints the same table. The two digits of refusals by the bank are answer codes of ISO 8583 (field 39); with a
gateway behind the terminal the issuer answers with them.

Where you act as the customer by hand, the bank's answers and the faults of this table apply; the customer's
own part (`slow`, `abandoned`, `walked_away`, `late_success`) does not.

| amount ends in | name | what happens | card charged |
|---|---|---|---|
"""


def render_outcomes() -> str:
    """Return docs/sandbox/outcomes.md."""
    return HEAD + "".join(map(_row, OUTCOMES))


def _row(row: ScriptedOutcome) -> str:
    charged = "yes" if row.charged else "no"
    return f"| {row.ending or ''} | `{row.name}` | {row.meaning} | {charged} |\n"


if __name__ == "__main__":
    sys.stdout.write(render_outcomes())
