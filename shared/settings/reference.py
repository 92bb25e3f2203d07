"""The settings' reference page, generated from the fields."""

import json
import sys

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.settings.checks import CHECKS, Check
from shared.settings.fields import Group, variable
from shared.settings.load import SECRET_FIELDS
from shared.settings.settings import GROUPS

HEAD = """# Settings

<!-- The output of `python -m shared.settings.reference`; a test says when it is stale. -->

Settings are environment variables. A `.env` file is not read. Durations are seconds, fractions allowed. An
unknown variable that begins with `CLOUD_TERMINAL_` is an error at start, so that a misspelt one is noticed.
`cloud-terminal config` shows every setting with its value and where that comes from, secrets hidden;
`--changed` those that differ from the default.
Secrets can come from a file, named by
{files}.
"""


CHECKS_HEAD = """
## Rules between settings

A process does not start with settings that break one of these rules; it names the rule and ends.

| setting | is | than or as | reason |
|---|---|---|---|
"""


def render_reference() -> str:
    """Return docs/reference/settings.md."""
    files = ", ".join(f"`{variable(name)}_FILE`" for name in SECRET_FIELDS)
    return "".join([HEAD.format(files=files), *map(_section, GROUPS), CHECKS_HEAD, *map(_check, CHECKS)])


def _section(group: type[Group]) -> str:
    rows = [
        _row(name, group.model_fields[name]) for name in group.__annotations__ if name in group.model_fields
    ]
    return f"\n## {group.title}\n\n| variable | default | meaning |\n|---|---|---|\n" + "".join(rows)


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{variable(name)}` | {_default(field)} | {field.description} |\n"


def _check(check: Check) -> str:
    relation = "below" if check.relation == "<" else "at most"
    return f"| {_sum(check.left)} | {relation} | {_sum(check.right)} | {check.why} |\n"


def _default(field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, tuple):
        default = json.dumps(default, default=str)
    return "" if default is None else "empty" if default == "" else f"`{default}`"


def _sum(terms: tuple[str | float, ...]) -> str:
    return " + ".join(f"`{term}`" if isinstance(term, str) else f"{term:g} s" for term in terms)


if __name__ == "__main__":
    sys.stdout.write(render_reference())
