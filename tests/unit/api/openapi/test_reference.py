"""The page of the HTTP API, made from its document."""

import re

from api.openapi.document import openapi_document
from api.openapi.reference import render_http_reference


def test_the_page_has_every_path_and_every_object() -> None:
    """With each path's operation id, and each object's own section, to which types link."""
    document, page = openapi_document(), render_http_reference()
    headings = re.findall(r"^### `?(.+?)`?$", page, re.MULTILINE)
    operations = {
        f"{method.upper()} {path}": operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    linked = set(re.findall(r"\]\(#(\w+)\)", page))

    assert sorted(headings) == sorted([*operations, *document["components"]["schemas"]])
    assert [one for one in operations.values() if f"(`{one}`)" not in page] == []
    assert linked <= {name.lower() for name in document["components"]["schemas"]}


def test_a_field_has_its_type_and_its_limits() -> None:
    """Those of an object within another one follow it, by their path."""
    page = render_http_reference()

    assert "| `order.price.amount` | integer | Amount in the currency's smallest unit" in page
    assert "| `Prefer` | header | string |" in page
    assert "at most 240, default `0`)" in page
