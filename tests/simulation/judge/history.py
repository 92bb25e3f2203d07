"""Readable record of one history; its lines are kept only where somebody will read them."""

import hashlib
from collections.abc import Mapping


class History:
    """Lines of virtual time and event. Its digest is the same whenever the seed is."""

    def __init__(self, *, keeps_lines: bool) -> None:
        self._keeps_lines = keeps_lines
        self._digest = hashlib.sha256()
        self.lines: list[str] = []

    def note(
        self, at: float, what: str, about: object = "", more: Mapping[str, object] | None = None
    ) -> None:
        line = f"{at:9.3f}  {what} {about}"
        if more:
            line += "  " + " ".join(f"{name}={value}" for name, value in more.items())
        self._digest.update(line.encode())
        if self._keeps_lines:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()
