"""Reader of the handbook who types what it prints, in a clone of the repository."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from running.printed_commands import PLACEHOLDER, Step, steps_of

from tests.compose.installation import CALL_SECONDS, REPOSITORY, Failed, Installation, timed

HANDBOOK: Final = REPOSITORY / "docs" / "operations"
#: The whole drill in order: page and heading. These sections have all blocks of commands of the two pages.
DRILL: Final = (
    ("drill.md", "Start"),
    ("compose.md", "Pay on a virtual terminal"),
    ("drill.md", "Sell"),
    ("drill.md", "Kill a worker"),
    ("drill.md", "See the alert"),
    ("drill.md", "Settle the doubt"),
    ("compose.md", "A new release"),
    ("compose.md", "Back up"),
    ("drill.md", "Destroy"),
    ("compose.md", "Restore"),
    ("drill.md", "Restore"),
)
_POLL_SECONDS: Final = 2.0


def section(page: str, heading: str) -> list[Step]:
    """Return the steps below a heading, up to the next one of its level."""
    text = (HANDBOOK / page).read_text()
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"{page} has no section {heading}"
    return steps_of(found[1])


class Reader:
    """Types in an installation's folder; what was answered replaces the words in capitals from then on."""

    def __init__(self, installation: Installation) -> None:
        self._installation: Final = installation
        self.answers: Final[dict[str, str]] = {}
        #: Sections that were typed, in order.
        self.typed: Final[list[tuple[str, str]]] = []

    def type(self, step: Step, *, within_seconds: float, again_seconds: float = 0) -> str:
        """Run a step to its end; if it fails or answers something else, again for a while. Raises Failed."""
        until = time.monotonic() + again_seconds
        shown = Step(self._as_typed(step.commands), self._as_typed(step.answer))
        while True:
            done = self._installation.run(
                "bash", "-euc", shown.commands, seconds=within_seconds, capture=True, check=False
            )
            found = None if done.returncode else shown.found_in(done.stdout or "")
            if found is not None:
                self.answers.update(found)
                return done.stdout or ""
            if time.monotonic() > until:
                raise Failed(
                    f"{shown.commands}\nended with status {done.returncode}; shown:\n{shown.answer}\n"
                    f"answered:\n{done.stdout}"
                )
            time.sleep(_POLL_SECONDS)

    def type_all(
        self, page: str, heading: str, *, within_seconds: float = CALL_SECONDS, again_seconds: float = 0
    ) -> str:
        """Run all steps of a section; return what they printed."""
        self.typed.append((page, heading))
        with timed(f"{page}, '{heading}'"):
            printed = [
                self.type(step, within_seconds=within_seconds, again_seconds=again_seconds)
                for step in section(page, heading)
            ]
        return "".join(printed)

    @contextmanager
    def running(self, page: str, heading: str, log: Path) -> Iterator[None]:
        """Run a section's step in a shell of its own until the block ends; its answers are in the log."""
        self.typed.append((page, heading))
        [step] = section(page, heading)
        with log.open("wb") as output:
            shell = subprocess.Popen(
                ["bash", "-uc", self._as_typed(step.commands)],
                cwd=self._installation.root,
                env=self._installation.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()

    def _as_typed(self, text: str) -> str:
        """Return a text with this installation's names and addresses, and with what was answered before."""
        known = PLACEHOLDER.sub(lambda found: self.answers.get(found[0], found[0]), text)
        port = self._installation.environment["CLOUD_TERMINAL_API_PORT"]
        network = f"{self._installation.project}_outside"
        return known.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("cloud-terminal_outside", network)
