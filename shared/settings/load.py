"""Loading of the settings from the environment, with error messages for the operator."""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.settings.fields import PREFIX, variable
from shared.settings.settings import Settings, SettingsError

#: Settings that can also come from a mounted file, named by `..._FILE`.
SECRET_FIELDS = ("database_url", "amqp_url", "secret_key", "hipay_password", "hipay_signing_secret")


def load_settings(**given: object) -> Settings:
    """Return the checked settings; arguments take precedence over the environment.

    Raises SettingsError with all problems at once, each with the variable's name and without its value.
    """
    problems = _unknown_names(os.environ)
    secrets, file_problems = _read_secret_files(os.environ)
    problems += file_problems
    problems += _unreadable_lists(os.environ)
    if problems:
        raise SettingsError("\n".join(problems))
    try:
        return Settings.model_validate({**secrets, **given})
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(detail) for detail in error.errors())) from None


def _unknown_names(environ: Mapping[str, str]) -> list[str]:
    known = {variable(name) for name in Settings.model_fields}
    known |= {variable(name) + "_FILE" for name in SECRET_FIELDS}
    problems = []
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]}?" if near else " See docs/reference/settings.md for all names."
            problems.append(f"{name} is not a setting.{hint}")
    return problems


def _unreadable_lists(environ: Mapping[str, str]) -> list[str]:
    problems = []
    for name, field in Settings.model_fields.items():
        text = environ.get(variable(name))
        if text and get_origin(field.annotation) is tuple and not _is_json(text):
            example = json.dumps((field.examples or [[]])[0])
            problems.append(f"{variable(name)}: must be a JSON list, as '{example}'.")
    return problems


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _read_secret_files(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    secrets: dict[str, str] = {}
    problems: list[str] = []
    for field in SECRET_FIELDS:
        file_variable = variable(field) + "_FILE"
        path = environ.get(file_variable)
        if not path:
            continue
        if environ.get(variable(field)):
            problems.append(f"{variable(field)} and {file_variable} are both set: keep one of them.")
            continue
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            problems.append(f"{file_variable}: cannot read {path}: {reason}.")
            continue
        if not secret:
            problems.append(f"{file_variable}: {path} is empty.")
            continue
        secrets[field] = secret
    return secrets, problems


def _sentence(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    if not detail["loc"]:
        return message
    name = str(detail["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        return f"{name} is not a setting."
    message = message[:1].lower() + message[1:].removesuffix(".")
    is_known = name not in SECRET_FIELDS and field.default is not None
    default = f" Default: {_shown(field.default)}." if is_known else ""
    return f"{variable(name)}: {message}.{default}"


def _shown(default: object) -> str:
    """Return a default as a variable has it."""
    return json.dumps(default, default=str) if isinstance(default, tuple) else str(default)
