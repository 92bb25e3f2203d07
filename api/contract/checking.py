"""Checks the bodies of our own paths, each against its one schema, and words errors as the contract does."""

from typing import Any, Final

from jsonschema_rs import Draft7Validator

from api.contract.json_text import NESTING_LIMIT, read_json, without_surrogates
from api.contract.wording import Finding, first_error


class BodyChecker:
    """Reads bodies of one schema; made once."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema: Final = schema
        self._validator: Final = Draft7Validator(schema)

    def read(self, body: bytes, nesting_limit: int = NESTING_LIMIT) -> dict[str, Any]:
        """Return the body's object; raise UnreadableBody or InvalidRequest."""
        value = read_json(body, nesting_limit)
        try:
            findings = self._findings(value)
        except UnicodeEncodeError:
            # The checker cannot read a lone surrogate where the schema looks.
            findings = self._findings(without_surrogates(value))
        if findings:
            raise first_error(findings, self._schema)
        found: dict[str, Any] = value
        return found

    def _findings(self, value: Any) -> list[Finding]:
        return [Finding.of(error, self._schema) for error in self._validator.iter_errors(value)]
