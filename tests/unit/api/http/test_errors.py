"""The tree of errors."""

import re
from pathlib import Path

import pytest
from in_memory.stored_payments import stored, without_result

from api.http import errors
from api.http.errors import ApiError, Overloaded
from api.payments.errors import ORDER_CONFLICTS, BrokerUnavailable, OrderConflict
from api.routers import ROUTERS
from shared.payment.answers import response_for
from shared.payment.payment import Reason
from shared.payment.states import State

PAGE = Path(errors.__file__).parents[2] / "docs" / "reference" / "errors.md"


def _tree(root: type[ApiError]) -> list[type[ApiError]]:
    return [root, *(error for child in root.__subclasses__() for error in _tree(child))]


def _drawn() -> list[tuple[str, int, str | None]]:
    assert errors.__doc__ is not None
    rows = re.findall(r"^[|+ -]*(\w+) +(\d{3})(?:  (\S+))?$", errors.__doc__, re.MULTILINE)
    return [(name, int(status), code or None) for name, status, code in rows]


def test_the_drawn_tree_is_the_tree() -> None:
    """Every class is drawn with its own status and code, whichever router raises it."""
    assert ROUTERS
    drawn = {name: (status, code) for name, status, code in _drawn()}

    assert drawn.keys() == {error.__name__ for error in _tree(ApiError)}
    for error in _tree(ApiError):
        status, code = drawn[error.__name__]
        assert status == error.status
        if code is not None and "<" not in code:
            assert code == error.code


def test_no_two_errors_share_a_code() -> None:
    """A code names one case."""
    codes = [code for _, _, code in _drawn() if code is not None]

    assert len(codes) == len(set(codes))


def test_the_page_lists_every_code_with_its_status() -> None:
    """One table in the docs lists them all."""
    page = PAGE.read_text(encoding="utf-8")
    conflicts = [(409, f"{reason}.order.conflict") for reason in ORDER_CONFLICTS]
    listed = {
        (int(status), code) for status, code in re.findall(r"^\| (\d{3}) \| `([^`]+)` ", page, re.MULTILINE)
    }

    expected = {(status, code) for _, status, code in _drawn() if code and "<reason>" not in code}
    assert listed == expected | set(conflicts)


@pytest.mark.parametrize("reason", ORDER_CONFLICTS)
def test_an_order_conflict_carries_the_stored_payment_and_is_never_safe(reason: str) -> None:
    """409, whatever the stored payment's own answer would be."""
    refused = stored(state=State.REFUSED, error_code="04")

    body = OrderConflict(reason, payment=refused).body()

    assert body["error"]["code"] == f"{reason}.order.conflict"
    assert body["error"]["status"] == 409
    assert body["error"]["details"] == {"safe_to_retry": False}
    assert body["payment"]["id"] == refused.id
    assert body["payment"]["safe_to_retry"] is False


def test_an_error_and_the_answer_of_its_payment_are_the_same() -> None:
    """A broker that is away is answered alike by the route that saw it and from the stored row."""
    from api.connector.answer import render_answer

    payment = without_result(State.CANCELLED, reason=Reason.BROKER_UNAVAILABLE)

    assert BrokerUnavailable(payment=payment).body() == render_answer(payment, response_for(payment))[1]


def test_overload_says_when_to_come_again() -> None:
    """503 with Retry-After in seconds, and nothing was accepted."""
    error = Overloaded()

    assert (error.status, error.headers) == (503, {"Retry-After": "1"})
    assert error.body()["error"]["details"] == {"safe_to_retry": True}


def test_a_refused_method_says_which_are_allowed() -> None:
    """405 with Allow."""
    assert errors.MethodNotAllowed("POST").headers == {"Allow": "POST"}
    assert errors.MethodNotAllowed().headers == {}
