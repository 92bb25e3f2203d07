"""Expressions of the rules and of the dashboards' panels, and the names of metrics in them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
RULES: Final = DEPLOY / "prometheus" / "rules"
DASHBOARDS: Final = DEPLOY / "grafana" / "dashboards"

#: What Grafana fills into an expression, here for a test: all values of each variable.
VARIABLES: Final[Mapping[str, str]] = {"$__rate_interval": "1m", "$__range": "5m"}
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_RECORDED: Final = re.compile(r"\bcloud_terminal:[a-zA-Z_:0-9]+")
_OURS: Final = re.compile(r"\bcloud_terminal_[a-z_0-9]+")


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression with its place."""

    place: str
    text: str

    @property
    def recorded(self) -> set[str]:
        """The recording rules that it names."""
        return set(_RECORDED.findall(_STRING.sub('""', self.text)))

    @property
    def ours(self) -> set[str]:
        """The series of our processes that it names."""
        return set(_OURS.findall(_STRING.sub('""', self.text)))


def rules() -> list[dict[str, Any]]:
    """Return every rule of deploy/prometheus/rules."""
    yaml = import_module("yaml")
    return [
        rule
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerts by their name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def rule_expressions() -> list[Expression]:
    return [Expression(rule.get("record") or rule["alert"], rule["expr"]) for rule in rules()]


def dashboards() -> dict[str, dict[str, Any]]:
    """Return the dashboards by the name of their file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panel_expressions() -> list[Expression]:
    """Return the expressions of all panels and template variables, with Grafana's variables filled in."""
    return [
        Expression(place, filled(text))
        for name, dashboard in dashboards().items()
        for place, text in _of_dashboard(name, dashboard)
    ]


def _of_dashboard(name: str, dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield f"{name} / {panel['title']}", target["expr"]
    for variable in dashboard["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.*), *\w+\)", str(variable.get("query", "")))
        if found is not None:
            yield f"{name} / ${variable['name']}", found[1]


def filled(text: str) -> str:
    """Return an expression with every variable at `All`."""
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    return re.sub(r"\$\{?[a-z]+\}?", ".*", text)
