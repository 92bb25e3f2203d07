"""A result survives being stored as an evidence's detail."""

import json

from in_memory.stored_payments import FULL_RESULT

from shared.payment.payment import Result


def test_a_result_read_back_from_json_is_the_same() -> None:
    """A proof that waited for the doubt brings everything that the terminal had said."""
    assert Result.from_json(json.loads(json.dumps(FULL_RESULT.to_json()))) == FULL_RESULT
    assert Result.from_json(json.loads(json.dumps(Result().to_json()))) == Result()


def test_what_is_not_a_results_is_passed_over() -> None:
    """An evidence's detail carries more than the result."""
    assert Result.from_json({"paid_cents": 5, "operator": "Anna"}) == Result(paid_cents=5)


def test_earlier_warnings_stay_in_front_and_are_not_doubled() -> None:
    """The warnings of the acceptance are still shown with the result."""
    assert FULL_RESULT.with_warnings(("amount_string", "partial_amount")).warnings == (
        "amount_string",
        "partial_amount",
    )
