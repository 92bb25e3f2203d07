"""The dashboards of deploy/grafana, written from `dashboard_panels.py`: `make docs` renews the files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from scripts.dashboard_panels import DASHBOARDS, Panel

FOLDER: Final = Path(__file__).parents[1] / "deploy" / "grafana" / "dashboards"
DATA_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, COLUMNS = 8, 7, 3


def rendered() -> Iterator[tuple[Path, str]]:
    """Yield each dashboard's file and its text."""
    for name, (title, panels, variables) in DASHBOARDS.items():
        yield FOLDER / f"{name}.json", json.dumps(_dashboard(name, title, panels, variables), indent=1) + "\n"


def _dashboard(name: str, title: str, panels: list[Panel], variables: dict[str, str]) -> dict[str, Any]:
    return {
        "uid": f"cloud-terminal-{name}",
        "title": f"cloud-terminal: {title}",
        "tags": ["cloud-terminal"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_data_source_variable(), *(_variable(*one) for one in variables.items())]},
        "links": [
            {"type": "dashboards", "tags": ["cloud-terminal"], "title": "cloud-terminal", "asDropdown": True}
        ],
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _data_source_variable() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _variable(name: str, values: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": DATA_SOURCE,
        "query": f"label_values({values})",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": number + 1,
        "title": panel.title,
        "type": panel.kind,
        "datasource": DATA_SOURCE,
        "gridPos": {"x": number % COLUMNS * WIDTH, "y": number // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": DATA_SOURCE}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


if __name__ == "__main__":
    for path, text in rendered():
        path.write_text(text)
