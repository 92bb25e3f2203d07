"""Errors that Ajv 6 itself reported for requests with several errors each.

Recorded with Ajv 6.15.0 (`useDefaults`, `allErrors`, its first error) and this project's own schema. A row is
edits of the full example (a path alone takes the field away), then keyword, message and path.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from orders import GONE, body_with

from api.connector.request import parse_order
from api.http.errors import InvalidRequest

RECORDED = json.loads(Path(__file__).with_name("ajv6_findings.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("edits", "keyword", "message", "path"), RECORDED)
def test_the_error_that_is_shown_is_the_one_that_ajv_shows(
    edits: list[list[Any]], keyword: str, message: str, path: str
) -> None:
    """Of several errors the same one, in the same words."""
    body = body_with({edit[0]: edit[1] if len(edit) > 1 else GONE for edit in edits})

    with pytest.raises(InvalidRequest) as refused:
        parse_order(body)

    assert refused.value.code == f"{keyword}.openapi.requestValidation"
    assert refused.value.message == message
    assert refused.value.details == {"path": path}
