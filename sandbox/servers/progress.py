"""Says on standard error what is being waited for, so that standard output stays the command's own."""

import sys


def say(text: str) -> None:
    """Write one line of progress to standard error."""
    sys.stderr.write(f"servers: {text}\n")
    sys.stderr.flush()
