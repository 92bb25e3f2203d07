"""The manifests in deploy/kubernetes fit schemas, processes and settings; no cluster is needed."""

import base64
import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from deployed.manifests import (
    ALL,
    DEFAULTS,
    DEPLOYMENTS,
    FOLDER,
    KUSTOMIZATION,
    MANIFESTS,
    PODS,
    PROCESSES,
    REPOSITORY,
    Document,
    containers,
    of_kind,
    problems,
)
from prometheus_client import generate_latest

from shared.broker.topology import Topology
from shared.metrics.metrics import Metrics
from shared.network.tls import verifying_context

NEEDS_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="make-secrets calls it")


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


def files_named(container: Document) -> Iterator[str]:
    for each in container["env"]:
        if each["name"].endswith("_FILE"):
            yield str(each["value"]).removeprefix("/etc/cloud-terminal/")


@NEEDS_OPENSSL
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
    references = of_kind("TriggerAuthentication")["rabbitmq"]["spec"]["secretTargetRef"]
    assert {each["parameter"] for each in references} == {"host", "tls", "ca"}
    for reference in references:
        assert reference["key"] in made[reference["name"]]["data"]
    volumes = of_kind("RabbitmqCluster")["rabbitmq"]["spec"]["override"]["statefulSet"]["spec"]["template"][
        "spec"
    ]
    assert volumes["volumes"][0]["secret"]["secretName"] in made
    accounts = json.loads(decoded(made["rabbitmq-definitions"], "definitions.json"))["users"]
    assert {each["name"] for each in accounts} >= {
        re.split(r"[/:@]+", decoded(made[f"cloud-terminal-{name}"], "amqp-url"))[1] for name in PROCESSES
    }


@NEEDS_OPENSSL
def test_processes_reach_the_servers_by_tls_alone_and_verify_them(tmp_path: Path) -> None:
    """The servers' certificates pass with the names of the URLs and the file of the pods."""
    made = {each["metadata"]["name"]: each for each in secrets(tmp_path)}
    authority = tmp_path / "kept" / "authority.pem"
    for name in ("owner", *PROCESSES, "keda"):
        assert decoded(made[f"cloud-terminal-{name}"], authority.name) == authority.read_text()

    for server, scheme, entry in (
        ("postgres", "postgresql+asyncpg", "database-url"),
        ("rabbitmq", "amqps", "amqp-url"),
    ):
        urls = [urlsplit(decoded(made[f"cloud-terminal-{name}"], entry)) for name in PROCESSES]
        [host] = {url.hostname or "" for url in urls}
        assert {url.scheme for url in urls} == {scheme}
        shake_hands(made[f"{server}-server"], authority, host)
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(made[f"{server}-server"], authority, "another.cloud-terminal.svc")

    for pod in PODS.values():
        for container in containers(pod):
            files = {each["name"]: each["value"] for each in container["env"]}
            for kind in ("DATABASE", "AMQP"):
                if f"CLOUD_TERMINAL_{kind}_URL_FILE" in files:
                    assert files[f"CLOUD_TERMINAL_{kind}_CA_FILE"] == "/etc/cloud-terminal/authority.pem"


def shake_hands(secret: Document, authority: Path, host: str) -> None:
    """Connect as a process does, in memory, to a server with the certificate of a Secret."""
    certificate = authority.with_name("of-the-secret.pem")
    certificate.write_text(decoded(secret, "tls.key") + decoded(secret, "tls.crt"))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    verifying = verifying_context(authority)
    # The default of Python 3.13.
    verifying.verify_flags |= ssl.VERIFY_X509_STRICT
    sent, received = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        verifying.wrap_bio(received, sent, server_hostname=host),
        serving.wrap_bio(sent, received, server_side=True),
    ]
    while ends:
        for end in list(ends):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
                ends.remove(end)


def test_no_way_leads_to_a_server_without_tls() -> None:
    ports = {
        port["port"]
        for policy in of_kind("NetworkPolicy").values()
        for rule in [*policy["spec"].get("egress", []), *policy["spec"].get("ingress", [])]
        for port in rule.get("ports", [])
    }

    assert 5671 in ports
    assert 5672 not in ports
    assert of_kind("Cluster")["postgres"]["spec"]["postgresql"]["pg_hba"] == ["hostnossl all all all reject"]
    certificates = of_kind("Cluster")["postgres"]["spec"]["certificates"]
    assert set(certificates.values()) == {"postgres-server"}
    assert of_kind("RabbitmqCluster")["rabbitmq"]["spec"]["tls"] == {"secretName": "rabbitmq-server"}


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
