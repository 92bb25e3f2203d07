"""The published description of payments as resources, gateways and operators."""

from typing import Any

from fastapi.routing import APIRoute
from jsonschema_rs import Draft202012Validator

from api.connector.messages import WORDED_KEYWORDS
from api.openapi.document import openapi_document
from api.operator.decision import DECISION, RELEASE
from api.operator.gateway_report import GATEWAY_REPORT
from api.operator.gateway_routes import router as gateway
from api.operator.routes import router as operator
from api.payments.routes import router as payments

OURS = ("/v1/payments", "/v1/gateway", "/v1/operator/doubts", "/v1/operator/contr", "/v1/operator/payments")
_ANNOTATIONS = {"description", "examples", "properties", "x-published"}


def described() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the operations of these paths."""
    return {
        (path, method.upper()): operation
        for path, operations in openapi_document()["paths"].items()
        for method, operation in operations.items()
        if path.startswith(OURS)
    }


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    """Path and method."""
    routes = {
        (route.path, method)
        for router in (payments, gateway, operator)
        for route in router.routes
        if isinstance(route, APIRoute) and route.methods
        for method in route.methods
    }

    assert routes == described().keys()


def test_the_examples_fit_their_schemas() -> None:
    """Of every body and every answer."""
    components = openapi_document()["components"]
    for where, operation in described().items():
        contents = [response["content"] for response in operation["responses"].values()]
        if "requestBody" in operation:
            contents.append(operation["requestBody"]["content"])
        for content in contents:
            body = content["application/json"]
            checker = Draft202012Validator({**body["schema"], "components": components})
            assert body["examples"], where
            for name, example in body["examples"].items():
                assert checker.is_valid(example["value"]), (where, name)


def test_every_operation_says_whose_credentials_it_needs() -> None:
    """A merchant's, a gateway's or an operator's."""
    for (path, _), operation in described().items():
        needs = {"payments": "basic", "gateway": "gateway", "operator": "operator"}[path.split("/")[2]]
        assert operation["security"] == [{needs: []}]


def test_every_keyword_of_these_bodies_has_its_wording() -> None:
    """A keyword without words would be a 500 in place of a 400."""
    for schema in (GATEWAY_REPORT, DECISION, RELEASE):
        assert set(schema["required"]) <= schema["properties"].keys()
        for part in (schema, *schema["properties"].values()):
            assert part.keys() - _ANNOTATIONS <= WORDED_KEYWORDS
            assert part["description"]
