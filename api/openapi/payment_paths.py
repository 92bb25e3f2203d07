"""Errors that the hand-written paths share."""

from itertools import groupby
from typing import Any

from api.http.errors import ApiError
from api.openapi.components import USUAL_ERRORS, error_response


def usual_errors(*more: list[ApiError]) -> dict[str, Any]:
    """Return the responses of the errors that every path has, and of some more, by their status."""
    usual = [list(same) for _, same in groupby(USUAL_ERRORS, key=lambda error: error.status)]
    return {
        str(same[0].status): error_response(same[0].message, same)
        for same in sorted([*usual, *more], key=lambda same: same[0].status)
    }
