"""Limit of open files of a process."""

import subprocess
import sys

_RAISES = """
import resource
from shared.runtime.open_files import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
raise_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_process_may_open_as_many_files_as_the_system_allows_it() -> None:
    """A few hundred connections of one client must not use up all that there are."""
    ran = subprocess.run([sys.executable, "-c", _RAISES], capture_output=True, text=True, check=True)
    soft, hard = map(int, ran.stdout.split())

    assert soft == min(hard, 1_048_576) if hard > 0 else 1_048_576
