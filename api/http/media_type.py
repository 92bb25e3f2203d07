"""Which media types an order may come in."""

from api.http.errors import MissingMediaType, UnsupportedMediaType


def check_media_type(content_type: str | None) -> None:
    """Accept any `application/*`, parameters included; raise MissingMediaType or UnsupportedMediaType."""
    if content_type is None or not content_type.strip():
        raise MissingMediaType
    kind, slash, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    if kind != "application" or not slash or not subtype:
        raise UnsupportedMediaType
