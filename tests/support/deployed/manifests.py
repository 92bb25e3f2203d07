"""The manifests of deploy/kubernetes, and their schemas.

`kubernetes_schemas.json` is made by scripts/write_kubernetes_schemas.py.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from jsonschema_rs import validator_for

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
