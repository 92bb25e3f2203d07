"""Memory of a measured process, and the files that this one may open."""

import resource
from pathlib import Path


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    return _status_kb(pid, "VmRSS") / 1024


def peak_mb(pid: int) -> float:
    """Return the most resident memory that a process ever had, in MB."""
    return _status_kb(pid, "VmHWM") / 1024


def allow_open_files(number: int) -> None:
    """Raise the limit of open files for this process and its children; raise SystemExit if it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise SystemExit(f"{number} open files are needed and {hard} allowed; raise `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))


def _status_kb(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])
