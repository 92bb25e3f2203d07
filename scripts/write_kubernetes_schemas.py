# /// script
# requires-python = ">=3.11"
# dependencies = ["kubernetes-validate==1.37.0", "cloudcoil-models-keda==2.16.1.0"]
# ///
"""Schemas of the kinds in deploy/kubernetes, closed: a field that is not named is refused.

    uv run --no-project scripts/write_kubernetes_schemas.py > tests/support/deployed/kubernetes_schemas.json

Kubernetes' own come from kubernetes-validate, KEDA's from cloudcoil-models-keda (both Apache-2.0);
only those that a kind leads to, without descriptions.
"""

import json
import sys
from importlib import import_module
from importlib.resources import files
from typing import Any

KUBERNETES = "1.31.0"
KINDS = {
    "Namespace": "namespace-v1",
    "Secret": "secret-v1",
    "Service": "service-v1",
    "Deployment": "deployment-apps-v1",
    "Job": "job-batch-v1",
    "PodDisruptionBudget": "poddisruptionbudget-policy-v1",
    "NetworkPolicy": "networkpolicy-networking-v1",
}
KEDA_KINDS = ("ScaledObject", "TriggerAuthentication")
PREFIX = "/api/_definitions.json#/$defs/"
#: What the cluster sets, and no manifest.
UNUSED = ("status", "managedFields")


def trimmed(schema: Any) -> Any:
    """Return the schema without descriptions and status, its references pointing into this file."""
    if isinstance(schema, list):
        return [trimmed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for name, value in schema.items():
        if name in {"description", "title", "$id", "$schema"} or name.startswith("x-kubernetes-"):
            continue
        if name == "$ref":
            kept[name] = "#/$defs/" + value.removeprefix(PREFIX).removeprefix("#/$defs/")
        elif name == "properties":
            kept[name] = {key: trimmed(each) for key, each in value.items() if key not in UNUSED}
        else:
            kept[name] = trimmed(value)
    return kept


def closed(schema: Any) -> Any:
    """Return the schema with every object that lists its fields closed."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: closed(value) for name, value in schema.items()}
    return {**kept, "additionalProperties": False} if isinstance(kept.get("properties"), dict) else kept


def references(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(references, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].removeprefix("#/$defs/")} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*map(references, schema.values()))


def kubernetes() -> dict[str, Any]:
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{KUBERNETES}-local-strict"
    definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
    kinds = {kind: trimmed(json.loads((folder / f"{name}.json").read_text())) for kind, name in KINDS.items()}
    reached: dict[str, Any] = {}
    missing = references(kinds)
    while missing:
        reached |= {name: trimmed(definitions[name]) for name in missing}
        missing = references(reached) - reached.keys()
    return {**kinds, **reached}


def keda() -> dict[str, Any]:
    models = import_module("cloudcoil.models.keda.v1alpha1")
    found: dict[str, Any] = {}
    for kind in KEDA_KINDS:
        schema = trimmed(getattr(models, kind).model_json_schema())
        own = {f"keda.{name}": value for name, value in schema.pop("$defs").items()}
        text = json.dumps({kind: schema, **own}).replace('"#/$defs/', '"#/$defs/keda.')
        found |= closed(json.loads(text))
    return found


if __name__ == "__main__":
    document = {"$comment": f"Kubernetes {KUBERNETES}; made by scripts/write_kubernetes_schemas.py"}
    json.dump({**document, "$defs": kubernetes() | keda()}, sys.stdout, sort_keys=True, separators=(",", ":"))
    sys.stdout.write("\n")
