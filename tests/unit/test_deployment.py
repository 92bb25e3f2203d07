"""compose.yaml and what lies in deploy/ fit the processes and their settings; no engine is needed."""

import json
import re
import runpy
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from typer.main import get_command

from cli.main import app
from shared.settings.fields import variable
from shared.settings.load import load_settings
from shared.settings.settings import Settings

REPOSITORY: Final = Path(__file__).parents[2]
DEPLOY: Final = REPOSITORY / "deploy"
HAPROXY: Final = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
ERRORS: Final = sorted((DEPLOY / "haproxy" / "errors").iterdir())
DEFAULTS: Final = Settings()
#: Processes of this project that run until they are stopped.
PROCESSES: Final = ("api", "terminal-worker", "notifier-worker")
#: It ends soon, and makes secrets instead of running a command.
ONE_SHOT: Final = "secrets"


def document(path: str) -> dict[str, Any]:
    found: dict[str, Any] = import_module("yaml").safe_load((REPOSITORY / path).read_text())
    return found


VERBS: Final = getattr(get_command(app), "commands", {})
SERVICES: Final[dict[str, Any]] = document("compose.yaml")["services"]


def seconds(text: str) -> float:
    """Return the duration of `260s`."""
    assert text.endswith("s"), text
    return int(text.removesuffix("s"))


def haproxy(keyword: str) -> float:
    """Return the duration that HAProxy's configuration gives a keyword."""
    [found] = re.findall(rf"^\s+{keyword} (\d+s)$", HAPROXY, re.MULTILINE)
    return seconds(found)


def test_services_are_named_as_their_commands() -> None:
    """`--scale terminal-worker=4` is `cloud-terminal terminal-worker`, four times."""
    ours = {
        name: service
        for name, service in SERVICES.items()
        if str(service.get("image", "")).startswith("cloud-terminal") and name != ONE_SHOT
    }
    assert set(PROCESSES) < set(ours)
    for name, service in ours.items():
        command, *rest = service["command"]
        verb = rest[0] if rest else command
        assert command in VERBS
        assert name in {command, verb, f"{command}-{verb}"}


def test_a_process_has_the_time_to_finish_that_its_settings_promise() -> None:
    """A container's grace period is the one that the settings check their drain against."""
    grace = {name: seconds(SERVICES[name]["stop_grace_period"]) for name in (*PROCESSES, "haproxy")}

    assert grace["api"] == DEFAULTS.api_stop_grace_seconds
    assert grace["terminal-worker"] == DEFAULTS.worker_stop_grace_seconds
    assert grace["notifier-worker"] == DEFAULTS.notifier_stop_grace_seconds
    assert DEFAULTS.caller_wait_seconds < haproxy("hard-stop-after") < grace["haproxy"]


def test_the_proxy_waits_longer_than_any_order() -> None:
    """It never ends a request that the API still answers."""
    for keyword in ("timeout client", "timeout server"):
        assert haproxy(keyword) == DEFAULTS.proxy_timeout_seconds


def test_the_proxy_notices_an_end_before_the_api_stops_listening() -> None:
    """One red check is enough, and the slowest one answers in time."""
    [interval] = re.findall(r"default-server check .* inter (\d+s) .*\bfall 1\b", HAPROXY)

    assert seconds(interval) + haproxy("timeout check") < DEFAULTS.api_unready_seconds


def test_nothing_is_ever_sent_twice_by_the_proxy() -> None:
    """Only a connection that could not be made is tried again, and none carries a second request."""
    assert re.findall(r"^\s+retry-on (.*)$", HAPROXY, re.MULTILINE) == ["conn-failure"]
    assert "option http-server-close" in HAPROXY


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
def test_the_proxys_own_errors_have_the_contracts_form(path: Path) -> None:
    """And are in the list of errors; none says that an order may be given up for another one."""
    head, _, body = path.read_text().partition("\n\n")
    error = json.loads(body)["error"]

    assert f"HTTP/1.1 {path.stem} {error['message']}\n" in head
    assert f"Content-Length: {len(body)}" in head
    assert error.keys() == {"status", "code", "message", "description", "details"}
    assert error["status"] == int(path.stem)
    assert error["details"].get("safe_to_retry") is not True
    assert f"`{error['code']}`" in (REPOSITORY / "docs" / "reference" / "errors.md").read_text()
    assert f"errorfile {path.stem} /usr/local/etc/haproxy/errors/{path.name}" in HAPROXY


def test_prometheus_finds_every_process_by_its_service() -> None:
    """All containers of a service, at the management port, which is open to the containers' networks only."""
    jobs = {job["job_name"]: job for job in document("deploy/prometheus/prometheus.yml")["scrape_configs"]}

    for name in PROCESSES:
        [found] = jobs[name]["dns_sd_configs"]
        assert (found["names"], found["type"], found["port"]) == ([name], "A", DEFAULTS.management_port)
        assert SERVICES[name]["environment"][variable("management_host")] == "0.0.0.0"
    assert f"check port {DEFAULTS.management_port} " in HAPROXY
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"haproxy", "sandbox", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_grafana_shows_the_dashboards_of_the_table() -> None:
    """`make docs` writes them; the container has them and a data source at Prometheus."""
    written = runpy.run_path(str(REPOSITORY / "scripts" / "write_dashboards.py"))["rendered"]
    files = dict(written())
    assert files.keys() == set((DEPLOY / "grafana" / "dashboards").iterdir())
    for path, text in files.items():
        assert path.read_text() == text, path

    mounted = dict(str(volume).split(":", 1) for volume in SERVICES["grafana"]["volumes"])
    [provider] = document("deploy/grafana/provisioning/dashboards/cloud-terminal.yml")["providers"]
    assert mounted["./deploy/grafana/dashboards"] == f"{provider['options']['path']}:ro"
    assert mounted["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning:ro"
    [source] = document("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_every_container_that_stays_has_limits() -> None:
    """Of memory and of processes: a leak of one must not end the others."""
    for name, service in SERVICES.items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"memory", "pids"} <= limits.keys(), name


def test_the_example_of_settings_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every line taken in."""
    text = (DEPLOY / "cloud-terminal.env.example").read_text()
    lines = re.findall(r"^#(CLOUD_TERMINAL_\w+)=(.*)$", text, re.MULTILINE)
    for name, value in lines:
        monkeypatch.setenv(name, value)

    assert len(lines) > 5
    assert load_settings().hipay_url is not None


def test_the_image_says_which_release_it_is() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    assert f"\nARG VERSION={project['version']}\n" in (REPOSITORY / "Dockerfile").read_text()


def test_the_bill_of_materials_lists_what_is_installed() -> None:
    """The image contains the output of the same program."""
    done = subprocess.run(
        [sys.executable, "scripts/write_sbom.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    bill = json.loads(done.stdout)
    names = [component["name"] for component in bill["components"]]

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert {"aio-pika", "fastapi", "sqlalchemy"} <= set(names)
    assert names == sorted(set(names))
