"""Questions to a Prometheus."""

from typing import Any

import httpx


class Prometheus:
    """A client of Prometheus' HTTP API."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=60)

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression at this moment."""
        return self._result("query", query=expression)

    def ask_range(self, expression: str, *, begin: float, end: float, step: float) -> list[dict[str, Any]]:
        """Return the series of an expression over a time, in seconds since 1970."""
        return self._result("query_range", query=expression, start=begin, end=end, step=step)

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self._data("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def rule_problems(self) -> list[str]:
        """Return the errors of rules' last evaluations."""
        groups = self._data("rules")["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]

    def targets_up(self) -> dict[str, bool]:
        """Return for each job whether all of its targets answer."""
        up: dict[str, bool] = {}
        for target in self._data("targets")["activeTargets"]:
            job = target["labels"]["job"]
            up[job] = up.get(job, True) and target["health"] == "up"
        return up

    def _result(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._data(path, **parameters)["result"]
        return found

    def _data(self, path: str, **parameters: Any) -> Any:
        answer = self._client.get(path, params=parameters)
        assert answer.is_success, f"{parameters}: {answer.text}"
        return answer.json()["data"]
