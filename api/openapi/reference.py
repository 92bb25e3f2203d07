"""Page of the HTTP API, made from its document: every path with its parameters, bodies and answers.

The page is Markdown. Objects that have a name in the document have a section of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from api.openapi.document import openapi_document

_HEAD: Final = """# HTTP API

Made from the API's document when the site is built. A running API serves it at `/openapi.json`, to try at
`/docs`, to read at `/redoc`. Besides the answers listed here, every path may answer as
[Errors](errors.md) says. Fields are required unless they are said to be optional.
"""
#: Answers of every path with a credential; the page on errors explains them.
_EVERYWHERE: Final = frozenset({"304", "401", "403", "405", "408", "413", "415", "429", "431", "500"})
_TITLES: Final = {
    "connector": "The connector",
    "payments": "Payments",
    "terminals": "Terminals",
    "webhooks": "Webhooks and the feed",
    "gateway": "The gateway",
    "operator": "Operators",
}
_REF: Final = "#/components/schemas/"
_LIMITS: Final = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
)

Schema = Mapping[str, Any]


def render_http_reference() -> str:
    """Return the page in Markdown."""
    document = openapi_document()
    parts = [_HEAD]
    for tag, title in _TITLES.items():
        parts += [f"## {title}\n", *_operations(document["paths"], tag)]
    parts.append("## Objects\n")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(f"### {name}\n\n{_object(schema)}")
    return "\n".join(parts)


def _operations(paths: Mapping[str, Mapping[str, Any]], tag: str) -> Iterator[str]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            if operation["tags"] == [tag]:
                yield _operation(f"{method.upper()} {path}", operation)


def _operation(title: str, operation: Mapping[str, Any]) -> str:
    parts = [f"### `{title}`\n", f"{operation['summary']} (`{operation['operationId']}`).\n"]
    if "description" in operation:
        parts.append(operation["description"] + "\n")
    if operation.get("parameters"):
        rows = [
            (
                f"`{each['name']}`",
                each["in"],
                _type(each["schema"]),
                _about(each, each["schema"], each["required"]),
            )
            for each in operation["parameters"]
        ]
        parts.append(_table(("parameter", "in", "type", ""), rows))
    if "requestBody" in operation:
        parts.append(f"Body: {_content(operation['requestBody'])}.\n")
    answers = [
        (status, _content(answer), _line(answer["description"]))
        for status, answer in sorted(operation["responses"].items())
        if status not in _EVERYWHERE
    ]
    parts.append(_table(("status", "body", ""), answers))
    return "\n".join(parts)


def _content(body: Mapping[str, Any]) -> str:
    """Return the kinds of a body, with its object where it has one."""
    kinds = [
        _type(content["schema"]) if "json" in kind and content.get("schema") else f"`{kind}`"
        for kind, content in body.get("content", {}).items()
    ]
    return " or ".join(dict.fromkeys(kinds))


def _object(schema: Schema) -> str:
    text = f"{schema['description']}\n\n" if "description" in schema else ""
    if rows := list(_fields(schema, "")):
        return text + _table(("field", "type", ""), rows)
    return f"{text}{_type(schema).capitalize()}.\n"


def _fields(schema: Schema, prefix: str) -> Iterator[tuple[str, ...]]:
    """Yield a row for each field; those of an object without a name follow their field."""
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield f"`{prefix}{name}`", _type(field), _about(field, field, name in needed)
        inner, mark = (field["items"], "[]") if "items" in field else (field, "")
        yield from _fields(inner, f"{prefix}{name}{mark}.")


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[choice])))
    if "items" in schema:
        return f"array of {_type(schema['items'])}"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kinds = schema.get("type", "any")
    kind = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    return "time" if schema.get("format") == "date-time" else kind


def _about(described: Schema, schema: Schema, is_required: bool) -> str:
    """Return a field's or parameter's description, and in brackets what its schema adds."""
    limits = [text.format(schema[name]) for name, text in _LIMITS if name in schema]
    default = schema.get("default")
    notes = [
        *([] if is_required else ["optional"]),
        *limits,
        *([] if default in (None, "", []) else [f"default `{default}`"]),
    ]
    text = _line(described.get("description", ""))
    return " ".join(part for part in (text, f"({', '.join(notes)})" if notes else "") if part)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines) + "\n"
