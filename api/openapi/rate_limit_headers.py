"""The headers that tell a credential what is left of its share, for the OpenAPI document."""

from typing import Any, Final

from api.openapi.components import string

RATE_LIMIT_HEADERS: Final[dict[str, Any]] = {
    "RateLimit-Limit": string("How many calls may come at once, e.g. `1000`."),
    "RateLimit-Remaining": string("How many of them are left at this API process."),
    "RateLimit-Reset": string("Seconds until all of them are there again."),
}


def with_rate_limit_headers(paths: dict[str, Any]) -> dict[str, Any]:
    """Return the paths with these headers in successes, and in refusals to serve more."""
    return {
        path: {method: _operation(operation) for method, operation in operations.items()}
        for path, operations in paths.items()
    }


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    if "security" not in operation:
        return operation
    responses = {
        status: (
            {**response, "headers": {**response.get("headers", {}), **RATE_LIMIT_HEADERS}}
            if status[0] == "2" or status == "429"
            else response
        )
        for status, response in operation["responses"].items()
    }
    return {**operation, "responses": responses}
