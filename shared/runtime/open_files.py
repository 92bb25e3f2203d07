"""Limit of open files: each connection of a client, a terminal or a receiver is one."""

import resource
from contextlib import suppress
from typing import Final

#: As many as Linux allows by default.
_MOST: Final = 1_048_576


def raise_open_files() -> None:
    """Raise this process's limit to the hard one; a shell's and a container's soft one is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Where the system refuses it, the process runs as before.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
