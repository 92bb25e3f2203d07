"""The units in deploy/systemd fit the processes and their settings, and may do nothing but their work."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from typer.main import get_command

from cli.main import app
from shared.settings.fields import variable
from shared.settings.load import SECRET_FIELDS
from shared.settings.settings import Settings

FOLDER: Final = Path(__file__).parents[3] / "deploy" / "systemd"
DEFAULTS: Final = Settings()
GRACE_SECONDS: Final = {
    "cloud-terminal-api.service": DEFAULTS.api_stop_grace_seconds,
    "cloud-terminal-worker@.service": DEFAULTS.worker_stop_grace_seconds,
    "cloud-terminal-notifier.service": DEFAULTS.notifier_stop_grace_seconds,
}
MIGRATION: Final = "cloud-terminal-migrate.service"
SWITCH: Final = "yes"
SECONDS: Final = r"\d+"
UNITS: Final = r"[\w@.-]+\.(service|target)( [\w@.-]+\.(service|target))*"
#: Directives by section, with the form of their values: one that is not here is misspelt, or has to be added.
KNOWN: Final = {
    "Unit": {
        "Description": r"cloud-terminal .+",
        "After": UNITS,
        "Wants": UNITS,
        "Requires": UNITS,
        "PartOf": UNITS,
        "StartLimitIntervalSec": "0",
    },
    "Service": {
        "Type": "exec|oneshot",
        "User": "cloud-terminal",
        "EnvironmentFile": r"-/etc/cloud-terminal/settings\.env",
        "LoadCredential": r"[a-z-]+:/etc/cloud-terminal/[a-z-]+/[a-z-]+",
        "Environment": r"CLOUD_TERMINAL_[A-Z_]+=\S+",
        "ExecStart": r"/.+",
        "TimeoutStartSec": SECONDS,
        "TimeoutStopSec": SECONDS,
        "KillMode": "mixed",
        "Restart": "always",
        "RestartSec": SECONDS,
        "MemoryMax": r"\d+M",
        "TasksMax": r"\d+",
        "LimitNOFILE": r"\d+",
        "CapabilityBoundingSet": "",
        "AmbientCapabilities": "",
        "ProtectSystem": "strict",
        "ProtectProc": "invisible",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "SystemCallArchitectures": "native",
        "SystemCallErrorNumber": "EPERM",
        "SystemCallFilter": "~?@[a-z-]+( @[a-z-]+)*",
        "UMask": "0077",
        **dict.fromkeys(
            (
                "NoNewPrivileges",
                "ProtectHome",
                "PrivateTmp",
                "PrivateDevices",
                "ProtectKernelTunables",
                "ProtectKernelModules",
                "ProtectKernelLogs",
                "ProtectControlGroups",
                "ProtectClock",
                "ProtectHostname",
                "RestrictNamespaces",
                "RestrictRealtime",
                "RestrictSUIDSGID",
                "LockPersonality",
                "RemoveIPC",
            ),
            SWITCH,
        ),
    },
    "Install": {"WantedBy": UNITS},
}
#: What every service has.
HARDENING: Final = {
    name
    for name in KNOWN["Service"]
    if re.match("No|Protect|Private|Restrict|Lock|Remove|Cap|Ambient|System|Proc|UMask", name)
}

Directives = dict[str, dict[str, list[str]]]


def parsed(path: Path) -> Directives:
    """Return the values of each directive by section, in their order."""
    found: Directives = {}
    section = ""
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        name, _, value = line.partition("=")
        found.setdefault(section, {}).setdefault(name, []).append(value)
    return found


FILES: Final = {path.name: parsed(path) for path in sorted(FOLDER.iterdir())}
SERVICES: Final = [name for name in FILES if name.endswith(".service")]


def environment(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in FILES[unit]["Service"].get("Environment", []))


@pytest.mark.parametrize("unit", FILES)
def test_every_directive_is_known_in_its_section(unit: str) -> None:
    """systemd only warns of a misspelt directive, and of one in the wrong section, and goes on without it."""
    wrong = [
        f"{section}: {name}={value}"
        for section, directives in FILES[unit].items()
        for name, values in directives.items()
        for value in values
        if not re.fullmatch(KNOWN.get(section, {}).get(name, r"(?!)"), value)
    ]

    assert wrong == []


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="no systemd-analyze here: units are read by our table alone",
)
def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    """With a program and a user that every machine has."""
    for path in FOLDER.iterdir():
        text = path.read_text().replace("/opt/cloud-terminal/bin/cloud-terminal", "/bin/true")
        (tmp_path / path.name).write_text(text.replace("User=cloud-terminal\n", "User=root\n"))
    worker = tmp_path / "cloud-terminal-worker@.service"
    worker.with_name("cloud-terminal-worker@1.service").write_text(worker.read_text())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("*[a-z1].*"))],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert [line for line in done.stderr.splitlines() if "cloud-terminal" in line] == []


@pytest.mark.parametrize("unit", GRACE_SECONDS)
def test_a_unit_has_the_time_to_finish_what_it_began(unit: str) -> None:
    """TimeoutStopSec is the grace that the settings check the drain against: beyond the longest session."""
    [timeout] = FILES[unit]["Service"]["TimeoutStopSec"]
    longest_session = (
        DEFAULTS.write_window_seconds + DEFAULTS.answer_timeout_seconds + DEFAULTS.idle_end_seconds
    )

    assert float(timeout) == GRACE_SECONDS[unit]
    assert DEFAULTS.worker_stop_grace_seconds > DEFAULTS.worker_drain_seconds > longest_session
    assert FILES[unit]["Service"]["Restart"] == ["always"]


@pytest.mark.parametrize("unit", SERVICES)
def test_every_service_is_hardened(unit: str) -> None:
    assert FILES[unit]["Service"].keys() >= HARDENING
    assert FILES[unit]["Service"]["User"] == ["cloud-terminal"]
    assert len(HARDENING) > 20


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_runs_a_command_with_settings_that_exist(unit: str) -> None:
    """Secrets come as credentials: files that only this service can read."""
    [command] = FILES[unit]["Service"]["ExecStart"]
    [verb] = re.findall(r"bin/cloud-terminal ([a-z-]+)", command)
    known = {variable(name) for name in Settings.model_fields}
    secrets = {f"{variable(name)}_FILE" for name in SECRET_FIELDS}
    given = environment(unit)
    credentials = {line.partition(":")[0] for line in FILES[unit]["Service"]["LoadCredential"]}

    assert verb in getattr(get_command(app), "commands", {})
    assert given.keys() <= known | secrets
    assert {f"%d/{name}" for name in credentials} == {given[name] for name in given.keys() & secrets}
    needed = {"database-url"} if unit == MIGRATION else {"database-url", "amqp-url"}
    assert needed <= credentials
    assert ("secret-key" in credentials) == (
        unit in {"cloud-terminal-api.service", "cloud-terminal-notifier.service"}
    )


def test_no_two_processes_share_a_management_port() -> None:
    """Workers have 9471 and on, by their number."""
    ports = [environment(unit)[variable("management_port")] for unit in GRACE_SECONDS]

    assert ports == [str(DEFAULTS.management_port), "947%i", "9465"]


def test_the_target_starts_every_process_after_the_migration() -> None:
    [wanted] = FILES["cloud-terminal.target"]["Unit"]["Wants"]

    assert {re.sub(r"@\d", "@", unit) for unit in wanted.split()} == GRACE_SECONDS.keys()
    for unit in GRACE_SECONDS:
        assert FILES[unit]["Unit"]["Requires"] == [MIGRATION]
        assert MIGRATION in FILES[unit]["Unit"]["After"][0].split()
        assert FILES[unit]["Unit"]["PartOf"] == ["cloud-terminal.target"]
