"""The pods of deploy/kubernetes fit the processes and their settings, and may do nothing but their work."""

from importlib import import_module

import pytest
from deployed.manifests import (
    DEFAULTS,
    DEPLOYMENTS,
    PODS,
    PROCESSES,
    REPOSITORY,
    Document,
    containers,
    main_container,
    of_kind,
    settings_env,
)

from shared.settings.fields import variable
from shared.settings.load import load_settings


def test_a_pod_has_the_time_to_finish_what_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grace is the one that the settings check the drain against, and longer than the longest session."""
    for name, value in settings_env().items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    grace = {name: PODS[name]["spec"]["terminationGracePeriodSeconds"] for name in PROCESSES}
    longest_session = (
        settings.write_window_seconds + settings.answer_timeout_seconds + settings.idle_end_seconds
    )

    assert grace["api"] == settings.api_stop_grace_seconds
    assert grace["api"] > settings.api_unready_seconds + settings.api_drain_seconds
    assert settings.api_drain_seconds > settings.caller_wait_seconds
    assert grace["terminal-worker"] == settings.worker_stop_grace_seconds
    assert grace["terminal-worker"] > settings.worker_drain_seconds > longest_session
    assert grace["notifier-worker"] == settings.notifier_stop_grace_seconds > settings.notifier_drain_seconds


def test_the_proxy_notices_an_end_before_the_api_stops_listening() -> None:
    probe = main_container("api")["readinessProbe"]

    assert probe["failureThreshold"] == 1
    noticed = probe["periodSeconds"] + probe["timeoutSeconds"]
    assert noticed < float(settings_env()[variable("api_unready_seconds")])


@pytest.mark.parametrize("name", PROCESSES)
def test_probes_ask_the_management_port(name: str) -> None:
    """Liveness alone restarts a pod, and asks for the event loop alone: no server's outage ends sessions."""
    container = main_container(name)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}

    assert container["args"] == [name]
    assert ports["management"] == DEFAULTS.management_port
    assert settings_env()[variable("management_host")] == "0.0.0.0"
    assert {probe["port"] for probe in probes.values()} == {"management"}
    assert probes["startup"]["path"] == "/readyz"
    assert probes["readiness"]["path"] == ("/acceptz" if name == "api" else "/readyz")
    assert probes["liveness"]["path"] == "/healthz"
    liveness = container["livenessProbe"]
    assert liveness["periodSeconds"] * liveness["failureThreshold"] >= 60
    annotations = PODS[name]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["management"])


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_nothing_but_its_work(name: str) -> None:
    """No root, no capability, no writing, no account of the cluster, no variables made of Services."""
    spec = PODS[name]["spec"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 10001)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(PODS[name]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert "useradd --uid 10001" in (REPOSITORY / "Dockerfile").read_text()


@pytest.mark.parametrize("name", PODS)
def test_a_pods_limits_are_those_of_compose(name: str) -> None:
    limits = document_of_compose()["x-python"]["resources"]["limits"]
    megabytes = int(limits["memory"].removesuffix("m"))

    for container in containers(PODS[name]):
        assert container["resources"]["limits"] == {"cpu": limits["cpus"], "memory": f"{megabytes}Mi"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def document_of_compose() -> Document:
    found: Document = import_module("yaml").safe_load((REPOSITORY / "compose.yaml").read_text())
    return found


def test_a_rollout_and_a_drained_node_leave_no_gap() -> None:
    for name, deployment in DEPLOYMENTS.items():
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert deployment["spec"]["replicas"] >= 2
        budget = of_kind("PodDisruptionBudget")[name]["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"] == deployment["spec"]["selector"]
        assert (
            deployment["spec"]["selector"]["matchLabels"].items() <= PODS[name]["metadata"]["labels"].items()
        )
    assert of_kind("PodDisruptionBudget").keys() == DEPLOYMENTS.keys() == set(PROCESSES)
    [api] = of_kind("Service").values()
    assert api["spec"]["selector"] == DEPLOYMENTS["api"]["spec"]["selector"]["matchLabels"]


def selects(selector: Document, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    expressions = selector.get("matchExpressions", [])
    return wanted <= labels.items() and all(labels.get(each["key"]) in each["values"] for each in expressions)


def ways(name: str, direction: str) -> set[str]:
    """Return the names of the policies that open a direction to the pods of a workload."""
    opening = {"Egress": "egress", "Ingress": "ingress"}[direction]
    labels = PODS[name]["metadata"]["labels"]
    return {
        policy["metadata"]["name"]
        for policy in of_kind("NetworkPolicy").values()
        if selects(policy["spec"]["podSelector"], labels) and policy["spec"].get(opening)
    }


@pytest.mark.parametrize("name", PODS)
def test_only_named_ways_lead_in_and_out_of_a_pod(name: str) -> None:
    """Only workers reach terminals, only notifier workers the internet, and clients only the API."""
    deny = of_kind("NetworkPolicy")["deny"]["spec"]
    out: dict[str, set[str]] = {
        "api": {"to-rabbitmq"},
        "terminal-worker": {"to-rabbitmq", "terminals"},
        "notifier-worker": {"to-rabbitmq", "receivers"},
    }
    into = {
        "api": {"proxy-to-api", "prometheus"},
        "terminal-worker": {"prometheus"},
        "notifier-worker": {"prometheus"},
    }

    assert selects(deny["podSelector"], PODS[name]["metadata"]["labels"])
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert deny.keys() == {"podSelector", "policyTypes"}
    assert ways(name, "Egress") == {"dns", "to-postgres", *out.get(name, set())}
    assert ways(name, "Ingress") == into.get(name, set())
