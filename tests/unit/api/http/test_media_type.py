"""Media types of the request."""

import pytest

from api.http.dependencies import check_media_type
from api.http.errors import MissingMediaType, UnsupportedMediaType


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        "application/*",
    ],
)
def test_any_application_type_is_taken(content_type: str) -> None:
    """The contract says `application/*`; whether it is JSON, the body shows."""
    check_media_type(content_type)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/json", "multipart/form-data", "json", "application", "application/"]
)
def test_another_media_type_is_a_415(content_type: str) -> None:
    """Refused before the body is read."""
    with pytest.raises(UnsupportedMediaType) as refused:
        check_media_type(content_type)

    assert refused.value.status == 415


@pytest.mark.parametrize("content_type", [None, "", "  "])
def test_no_media_type_is_a_400(content_type: str | None) -> None:
    """The contract tells it apart from a wrong one."""
    with pytest.raises(MissingMediaType) as refused:
        check_media_type(content_type)

    assert refused.value.status == 400
