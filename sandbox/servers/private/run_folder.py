"""Makes the temporary folder of one run."""

import os
import stat
import tempfile
from pathlib import Path


def make_run_folder() -> Path:
    """Make and return a new temporary folder that PostgreSQL can use too, which never runs as root."""
    place = Path(tempfile.gettempdir()).resolve()
    is_root = os.geteuid() == 0
    if is_root and not all(folder.stat().st_mode & stat.S_IXOTH for folder in (place, *place.parents)):
        place = Path("/tmp")  # nosec B108 # noqa: S108 - mkdtemp makes a folder of its own there
    folder = Path(tempfile.mkdtemp(prefix="cloud-terminal-servers-", dir=place))
    if is_root:
        folder.chmod(0o711)
    return folder
