"""The manifests in deploy/kubernetes fit the schemas, the processes and their settings; no cluster is needed.

`kubernetes_schemas.json` is made by scripts/write_kubernetes_schemas.py.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema_rs import validator_for
from prometheus_client import generate_latest

from shared.broker.topology import Topology
from shared.runtime.metrics import Metrics
from shared.settings.fields import variable
from shared.settings.load import load_settings
from shared.settings.settings import Settings

REPOSITORY: Final = Path(__file__).parents[3]
FOLDER: Final = REPOSITORY / "deploy" / "kubernetes"
SCHEMAS: Final = json.loads(Path(__file__).with_name("kubernetes_schemas.json").read_text())["$defs"]
DEFAULTS: Final = Settings()
PROCESSES: Final = ("api", "terminal-worker", "notifier-worker")
#: Read by kustomize alone, which refuses unknown fields itself.
KUSTOMIZE: Final = {"Kustomization", "Component"}
#: Made by operators whose schemas no package has; docs/operations/kubernetes.md says how they were checked.
OF_OPERATORS: Final = {
    ("Cluster", "postgresql.cnpg.io/v1"),
    ("RabbitmqCluster", "rabbitmq.com/v1beta1"),
}

Document = dict[str, Any]


def documents(path: Path) -> list[Document]:
    return [each for each in import_module("yaml").safe_load_all(path.read_text()) if each is not None]


MANIFESTS: Final[dict[str, list[Document]]] = {
    path.relative_to(FOLDER).as_posix(): documents(path) for path in sorted(FOLDER.rglob("*.yaml"))
}
ALL: Final = [each for found in MANIFESTS.values() for each in found if each["kind"] not in KUSTOMIZE]
KUSTOMIZATION: Final = MANIFESTS["kustomization.yaml"][0]


def of_kind(kind: str) -> dict[str, Document]:
    return {each["metadata"]["name"]: each for each in ALL if each["kind"] == kind}


DEPLOYMENTS: Final = of_kind("Deployment")
PODS: Final[dict[str, Document]] = {
    name: each["spec"]["template"] for name, each in (DEPLOYMENTS | of_kind("Job")).items()
}


def problems(document: Document) -> list[str]:
    """Return what the schema of the document's kind says of it; a kind without one is a problem, too."""
    if (document["kind"], document["apiVersion"]) in OF_OPERATORS:
        return []
    if document["kind"] not in SCHEMAS:
        return [f"no schema of {document['kind']}"]
    schema = {"$ref": f"#/$defs/{document['kind']}", "$defs": SCHEMAS}
    return [
        f"{error.instance_path}: {error.message}" for error in validator_for(schema).iter_errors(document)
    ]


def containers(pod: Document) -> list[Document]:
    found: list[Document] = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    return found


def main_container(name: str) -> Document:
    [found] = PODS[name]["spec"]["containers"]
    return dict(found)


def settings_env() -> dict[str, str]:
    lines = (FOLDER / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("file", [name for name in MANIFESTS if not name.endswith("kustomization.yaml")])
def test_every_manifest_fits_its_schema_and_has_no_unknown_field(file: str) -> None:
    assert MANIFESTS[file]
    assert {each["metadata"]["name"]: problems(each) for each in MANIFESTS[file] if problems(each)} == {}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0, "livenessProb")),
        ("PodDisruptionBudget", ("spec", "maxUnavailible")),
        ("NetworkPolicy", ("spec", "egres")),
        ("ScaledObject", ("spec", "triggers", 0, "metadta")),
    ],
)
def test_the_schemas_refuse_a_misspelt_field(kind: str, path: tuple[str | int, ...]) -> None:
    """An unknown field, deep inside; Kubernetes itself would drop it without a word."""
    document = json.loads(json.dumps(next(iter(of_kind(kind).values()))))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = {}

    assert problems(document)


def test_the_kustomization_has_every_manifest_but_those_applied_apart() -> None:
    apart = {"kustomization.yaml", "migrate-after.yaml"}
    own = {name for name in MANIFESTS if "/" not in name} - apart

    assert set(KUSTOMIZATION["resources"]) == own
    assert {each["metadata"].get("namespace", "cloud-terminal") for each in ALL} == {
        KUSTOMIZATION["namespace"]
    }


def test_the_image_is_this_release() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    [image] = KUSTOMIZATION["images"]

    assert image["newTag"] == version
    assert {each["image"] for pod in PODS.values() for each in containers(pod)} == {image["name"]}


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


def files_named(container: Document) -> Iterator[str]:
    for each in container["env"]:
        if each["name"].endswith("_FILE"):
            yield str(each["value"]).removeprefix("/etc/cloud-terminal/")


def test_every_secret_that_is_referred_to_is_made_and_none_is_in_a_manifest(tmp_path: Path) -> None:
    """By make-secrets, with the entries that the pods read; the same folder gives the same secrets again."""
    made = {each["metadata"]["name"]: each for each in secrets(tmp_path)}

    assert secrets(tmp_path) == list(made.values())
    assert of_kind("Secret") == {}
    assert [each for secret in made.values() for each in problems(secret)] == []
    for pod in PODS.values():
        [volume] = [each["secret"] for each in pod["spec"]["volumes"] if "secret" in each]
        entries = set(made[volume["secretName"]]["data"])
        mounted = {each["key"] for each in volume.get("items", [])} or entries
        assert mounted <= entries
        assert {name for container in containers(pod) for name in files_named(container)} <= mounted
    assert "secret-key" not in made["cloud-terminal-terminal-worker"]["data"]
    cluster = of_kind("Cluster")["postgres"]["spec"]
    assert cluster["bootstrap"]["initdb"]["secret"]["name"] in made
    assert decoded(made["postgres-owner"], "username") == cluster["bootstrap"]["initdb"]["owner"]
    [reference] = of_kind("TriggerAuthentication")["rabbitmq"]["spec"]["secretTargetRef"]
    assert reference["key"] in made[reference["name"]]["data"]
    volumes = of_kind("RabbitmqCluster")["rabbitmq"]["spec"]["override"]["statefulSet"]["spec"]["template"][
        "spec"
    ]
    assert volumes["volumes"][0]["secret"]["secretName"] in made
    accounts = json.loads(decoded(made["rabbitmq-definitions"], "definitions.json"))["users"]
    assert {each["name"] for each in accounts} >= {
        re.split(r"[/:@]+", decoded(made[f"cloud-terminal-{name}"], "amqp-url"))[1] for name in PROCESSES
    }


def secrets(folder: Path) -> list[Document]:
    """Return what make-secrets prints; it finds `cloud-terminal` beside this Python."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [FOLDER / "make-secrets", folder / "kept"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY)},
    )
    return list(import_module("yaml").safe_load_all(done.stdout))


def decoded(secret: Document, entry: str) -> str:
    return base64.b64decode(secret["data"][entry]).decode()


def test_keda_scales_by_the_payment_queue_and_by_metrics_that_exist() -> None:
    scaled = of_kind("ScaledObject")["terminal-worker"]["spec"]
    [queue, *metrics] = scaled["triggers"]
    exported = generate_latest(Metrics("terminal-worker").registry).decode()

    assert scaled["scaleTargetRef"]["name"] in DEPLOYMENTS
    assert queue["metadata"]["queueName"] == Topology("", DEFAULTS.delivery_limit).payments
    for trigger in metrics:
        [metric] = re.findall(r"cloud_terminal_\w+", trigger["metadata"]["query"])
        assert f"# TYPE {metric} " in exported
    assert {trigger["type"] for trigger in metrics} == {"prometheus"}
    assert float(metrics[1]["metadata"]["threshold"]) < DEFAULTS.session_limit
    downwards = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert downwards["stabilizationWindowSeconds"] > DEFAULTS.worker_stop_grace_seconds
    assert scaled["minReplicaCount"] >= 2


def test_a_commit_is_on_two_databases_and_a_queue_on_three_brokers() -> None:
    """A failover forgets no payment."""
    synchronous = of_kind("Cluster")["postgres"]["spec"]["postgresql"]["synchronous"]
    broker = of_kind("RabbitmqCluster")["rabbitmq"]["spec"]

    assert synchronous == {"method": "any", "number": 1, "dataDurability": "required"}
    assert broker["replicas"] == 3
    assert "continuous_membership_reconciliation.enabled = true" in broker["rabbitmq"]["additionalConfig"]
