"""Commands that a page prints, and the answers that it shows: run as a reader types them.

A block of commands is ```sh, the block of its answer, which follows, ```text; `...` stands for anything.
"""

import re
from dataclasses import dataclass
from typing import Final

#: A block of commands and the block that shows their answer.
_STEP: Final = re.compile(r"```sh\n(?P<commands>.+?)```\n\n```text\n(?P<answer>.+?)```", re.DOTALL)
#: What a reader replaces by what was answered before.
PLACEHOLDER: Final = re.compile(r"\b(MERCHANT_ID|PAYMENT_ID|USERNAME|SECRET|MOMENT)\b")
KEEPS_RUNNING: Final = ("make run", "cloud-terminal virtual-terminal", "while ")


@dataclass(frozen=True)
class Step:
    """One block of commands, and the answer that the README shows."""

    commands: str
    answer: str

    @property
    def keeps_running(self) -> bool:
        return self.commands.startswith(KEEPS_RUNNING)

    def found_in(self, output: str) -> dict[str, str] | None:
        """Return what the output has for the answer's placeholders; None where it is another answer."""
        parts = (r"\s*".join(map(_pattern, part.split())) for part in self.answer.split("..."))
        found = re.search(".*".join(parts), output, re.DOTALL)
        return None if found is None else found.groupdict()


def _pattern(word: str) -> str:
    """Return a word's pattern: itself, and a group for a placeholder."""
    return PLACEHOLDER.sub(r"(?P<\1>[\\w:+-]+)", re.escape(word))


def steps_of(text: str) -> list[Step]:
    """Return the steps of a page or section; each block of commands has an answer."""
    found = [Step(match["commands"], match["answer"]) for match in _STEP.finditer(text)]
    assert len(found) == text.count("```sh\n"), "a block of commands without an answer"
    return found
