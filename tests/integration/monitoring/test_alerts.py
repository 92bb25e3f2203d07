"""Rules and alerts, read and run by Prometheus' own promtool: each alert fires for its fault and no other."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from monitoring.expressions import RULES, alerts, panel_expressions, rule_expressions, rules
from monitoring.scenarios import HEALTHY, SCENARIOS

from sandbox.servers.private.prometheus import prometheus_programs
from shared.metrics.reference import CATALOGUE

REPOSITORY: Final = Path(__file__).parents[3]
RUNBOOKS: Final = REPOSITORY / "docs" / "operations" / "alerts.md"
EXPORTED: Final = {series for metric in CATALOGUE for series in metric.series}


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [prometheus_programs().tool, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_configuration_and_rules() -> None:
    """The files that its container is started with."""
    promtool("check", "config", RULES.parent / "prometheus.yml")


def test_kubernetes_pods_are_found_under_the_jobs_that_the_rules_name() -> None:
    """By the printed relabelling: a pod's name label becomes its job, else alerts fire without a cause."""
    [printed] = re.findall(r"^```yaml\n(.*?)^```", RUNBOOKS.read_text(), re.DOTALL | re.MULTILINE)
    [job] = import_module("yaml").safe_load(printed)["scrape_configs"]
    named = [rule["source_labels"] for rule in job["relabel_configs"] if rule.get("target_label") == "job"]
    assert named == [["__meta_kubernetes_pod_label_app_kubernetes_io_name"]]
    for name in ("api", "terminal-worker", "notifier-worker"):
        deployment = (REPOSITORY / "deploy" / "kubernetes" / f"{name}.yaml").read_text()
        assert f"app.kubernetes.io/name: {name}\n" in deployment
        assert f'up{{job="{name}"}}' in (RULES / "alerts.yml").read_text()


def test_each_alert_fires_for_its_fault_and_no_other_one_does(tmp_path: Path) -> None:
    """Nor does any without a fault, before its time, or for a harmless one."""
    assert SCENARIOS.keys() == alerts().keys()
    tests = [_expects({}, (), at) for at in (3, 60)]
    for name, scenario in SCENARIOS.items():
        series, also = scenario.series, (name, *scenario.also)
        tests.append(_expects(series, also, scenario.fires_after, must_fire=name, missing=scenario.missing))
        if scenario.silent_at is not None:
            tests.append(_expects(series, scenario.also, scenario.silent_at))
        if scenario.harmless:
            tests.append(_expects(scenario.harmless, (), scenario.fires_after))
    file = tmp_path / "tests.yml"
    # JSON is YAML.
    file.write_text(
        json.dumps(
            {
                "rule_files": [str(path) for path in sorted(RULES.glob("*.yml"))],
                "evaluation_interval": "1m",
                "tests": tests,
            }
        )
    )

    promtool("test", "rules", file)


def _expects(
    faulty: Mapping[str, str],
    may_fire: Iterable[str],
    minute: int,
    *,
    must_fire: str | None = None,
    missing: Iterable[str] = (),
) -> dict[str, Any]:
    """Return promtool's test of an installation with these series at this minute."""
    series = {name: values for name, values in {**HEALTHY, **faulty}.items() if name not in missing}
    firing = 'ALERTS{alertstate="firing", alertname%s}'
    others = firing % f'!~"{"|".join(may_fire) or "none"}"'
    expected: list[dict[str, Any]] = [
        {"expr": f"count({others})", "eval_time": f"{minute}m", "exp_samples": []}
    ]
    if must_fire is not None:
        one = {"labels": "{}", "value": 1}
        fires = f"count({firing % f'={chr(34)}{must_fire}{chr(34)}'}) > bool 0"
        expected.append({"expr": fires, "eval_time": f"{minute}m", "exp_samples": [one]})
    return {
        "name": must_fire or f"silent at {minute}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": expected,
    }


@pytest.mark.parametrize("name", alerts())
def test_each_alert_has_a_runbook(name: str) -> None:
    """A section that its annotation leads to, with numbered steps."""
    page = RUNBOOKS.read_text()
    rule = alerts()[name]

    assert rule["annotations"]["runbook_url"] == f"docs/operations/alerts.md#{name.lower()}"
    assert rule["labels"]["severity"] in {"page", "ticket"}
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert re.search(r"^1\. ", section, re.MULTILINE), "its steps"
    assert f"(`{rule['labels']['severity']}`)" in section


def test_runbooks_belong_to_alerts() -> None:
    assert set(re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)) == alerts().keys()


def test_expressions_name_metrics_that_exist() -> None:
    """Rules and panels alike: a metric that was renamed leaves no empty panel and no silent alert."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expression in [*rule_expressions(), *panel_expressions()]:
        assert expression.ours <= EXPORTED, expression.place
        assert expression.recorded <= recorded, expression.place
