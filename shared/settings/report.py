"""Settings as an operator reads them: value, source, default and reason, without secrets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr

from shared.settings.fields import variable
from shared.settings.load import SECRET_FIELDS
from shared.settings.settings import GROUPS, Settings

HIDDEN: Final = "(hidden)"


@dataclass(frozen=True, slots=True)
class ReportedSetting:
    """One setting; a value that is not set is None."""

    name: str
    variable: str
    group: str
    value: Any
    #: `environment`, `file PATH` or `default`.
    source: str
    default: Any
    why: str

    @property
    def is_default(self) -> bool:
        return self.source == "default"


def report(settings: Settings, environ: Mapping[str, str]) -> list[ReportedSetting]:
    """Return every setting, in the order of the reference; `environ` is what the settings were read from."""
    given = {name.upper(): text for name, text in environ.items() if text}
    return [
        _reported(settings, given, group.title, name)
        for group in GROUPS
        for name in group.__annotations__
        if name in group.model_fields
    ]


def _reported(settings: Settings, given: Mapping[str, str], group: str, name: str) -> ReportedSetting:
    field = Settings.model_fields[name]
    source = "default"
    if variable(name) in given:
        source = "environment"
    elif name in SECRET_FIELDS and f"{variable(name)}_FILE" in given:
        source = f"file {given[f'{variable(name)}_FILE']}"
    value = getattr(settings, name)
    # A default is no secret: it is in the reference.
    hides = isinstance(value, SecretStr) and source != "default"
    return ReportedSetting(
        name=name,
        variable=variable(name),
        group=group,
        value=HIDDEN if hides else _plain(value),
        source=source,
        default=_plain(field.default),
        why=field.description or "",
    )


def _plain(value: Any) -> Any:
    """Return a value of JSON."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return json.loads(json.dumps(value, default=str))
