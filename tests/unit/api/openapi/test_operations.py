"""The published description of the API's own resources."""

from collections.abc import Iterator

from fastapi.routing import APIRoute

from api.http.models import RequestBody
from api.openapi.document import openapi_document
from api.routers import ROUTERS


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    """Path and method."""
    routes = {
        (route.path, method)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and route.methods
        for method in route.methods
    }

    described = {
        (path, method.upper())
        for path, operations in openapi_document()["paths"].items()
        for method in operations
    }
    assert routes == described


def test_every_operation_says_whose_credentials_it_needs() -> None:
    """A merchant's, a gateway's or an operator's."""
    kinds = {"gateway": "gateway", "operator": "operator"}
    for path, operations in openapi_document()["paths"].items():
        for operation in operations.values():
            if path != "/v1/connector/healthcheck":
                assert operation["security"] == [{kinds.get(path.split("/")[2], "basic"): []}], path


def _bodies(root: type[RequestBody]) -> Iterator[type[RequestBody]]:
    for body in root.__subclasses__():
        if body.__module__.startswith("api."):
            yield body
        yield from _bodies(body)


def test_every_operation_and_every_field_of_a_body_is_described() -> None:
    """A summary each, and a sentence."""
    for operations in openapi_document()["paths"].values():
        assert all(operation["summary"] for operation in operations.values())
    for body in _bodies(RequestBody):
        assert body.__doc__
        for name, field in body.model_fields.items():
            assert field.description, (body, name)


def test_components_have_readable_names() -> None:
    """A generated client has them as its classes."""
    assert all(
        name.isidentifier() and "__" not in name for name in openapi_document()["components"]["schemas"]
    )
