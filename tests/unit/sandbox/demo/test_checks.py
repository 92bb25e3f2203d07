import base64
from typing import Any, Final

import pytest

from sandbox.demo.checks import Unexpected, compare
from sandbox.demo.desk import Call, Recorded, order
from sandbox.demo.frames import masked_fields
from sandbox.terminal.device.session_log import Passage, SessionRecord

PAYMENT: Final = "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"
OTHER: Final = "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDF"
REQUEST: Final = f"CZ0040320CB003640CD0010CE003978CF030{PAYMENT}"
ANSWER: Final = f"CZ0040320CB003640CD0010AE00210CF030{PAYMENT}"

Json = dict[str, Any]


def stored(**changed: Any) -> Json:
    """Return a debit of 6.40 euros, as `GET /v1/payments/{id}` has it."""
    payment: Json = {
        "id": PAYMENT,
        "order_id": "TABLE-3",
        "operation": "debit",
        "state": "succeeded",
        "amount": 640,
        "masked_card": "497010******7893",
        "replayed": False,
    }
    return payment | changed


def call(**changed: Any) -> Call:
    """Return its order and answer."""
    receipt = base64.b64encode(b"DEBIT").decode()
    body = {"paymentStatus": "Success", "receipt": receipt, "payment": stored(**changed)}
    return Call(order("TABLE-3", 640, "127.1.2.3", 8888), 200, body)


def history() -> list[Json]:
    """Return its events."""
    frames = {"sent": masked_fields(REQUEST.encode()), "answer": masked_fields(ANSWER.encode())}
    return [
        {"event": "accepted", "state": "queued", "detail": {}},
        {"event": "claimed", "state": "in_session", "detail": {"worker": "w-id"}},
        {"event": "answered_done", "state": "succeeded", "detail": frames},
    ]


def session(
    reference: str = PAYMENT, *, begins: float = 15.0, ends: float = 499.0, answer: str = ANSWER
) -> SessionRecord:
    """Return the terminal's record of a session that charged."""
    return SessionRecord(
        peer="127.0.0.1:40000",
        opened_monotonic_ms=begins,
        closed_at_ms=int(ends),
        closed_monotonic_ms=ends,
        operation="debit",
        amount_cents=640,
        reference=reference,
        outcome="done",
        charged=True,
        passages=[Passage("in", 16, 16.0, REQUEST), Passage("out", 498, 498.0, answer)],
    )


def webhook(state: str = "succeeded", *, is_taken: bool = True) -> Json:
    """Return what came to the merchant's server."""
    return {
        "is_taken": is_taken,
        "status": 200 if is_taken else 403,
        "because": None if is_taken else "a wrong signature",
        "content": {"payment_id": PAYMENT, "state": state},
    }


def recorded(**changed: Any) -> Recorded:
    """Return what everybody recorded of the debit once it is collected."""
    whole: Json = {
        "payments": [stored()],
        "orders": [{"what": "order", "reference": PAYMENT}],
        "transactions": [],
        "totals": {"captured_cents": 640, "refunded_cents": 0, "credited_cents": 0},
        "webhooks": [webhook()],
        "collected": {"count": 1, "sum_cents": 640},
    }
    return Recorded(**(whole | changed))


def test_records_that_agree_are_described() -> None:
    """One sentence for each thing that was compared."""
    held = compare([call(), call(replayed=True)], recorded(), [session()], {PAYMENT: history()})

    assert held[0] == "2 answers equal the 1 stored payments"
    assert len(held) == 8


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "in_doubt"},
        {"amount": 639},
        {"masked_card": "497010******0000"},
        {"authorisation_number": "184117"},
        {"resolved_by": "enquiry"},
    ],
)
def test_an_answer_that_differs_from_the_stored_payment_is_found(changed: Json) -> None:
    """Each answer equals what is stored."""
    with pytest.raises(Unexpected, match=f"TABLE-3: the answer's {next(iter(changed))} is"):
        compare([call(**changed)], recorded(), [session()], {PAYMENT: history()})


@pytest.mark.parametrize(
    ("sessions", "problem"),
    [
        ([], "the terminal was asked for"),
        ([session(), session(begins=500, ends=600)], "was charged twice"),
        ([session(), session(OTHER, begins=300, ends=900)], "two sessions at once"),
        ([session(answer=ANSWER.replace("640", "650"))], "another answer message"),
    ],
)
def test_a_session_that_should_not_have_been_is_found(sessions: list[SessionRecord], problem: str) -> None:
    """None too few, none too many, one at a time, and its bytes are the history's."""
    with pytest.raises(Unexpected, match=problem):
        compare([call()], recorded(), sessions, {PAYMENT: history(), OTHER: history()})


def test_a_charge_without_a_stored_success_is_found() -> None:
    """And a stored success that the terminal does not know."""
    uncharged = session()
    uncharged.charged = False
    with pytest.raises(Unexpected, match="is succeeded, the terminal's outcome is done"):
        compare([call()], recorded(), [uncharged], {PAYMENT: history()})
    refused = recorded(payments=[stored(state="refused")])
    with pytest.raises(Unexpected, match="is refused, the terminal's outcome is done"):
        compare([call(state="refused")], refused, [session()], {PAYMENT: history()})


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"orders": []}, "HiPay was notified of"),
        ({"webhooks": []}, "webhooks say"),
        ({"webhooks": [webhook(), webhook()]}, "webhooks say"),
        ({"webhooks": [webhook("refused")]}, "webhooks say"),
        ({"webhooks": [webhook(is_taken=False)]}, "a webhook came with 403: a wrong signature"),
        ({"totals": {"captured_cents": 640, "refunded_cents": 1, "credited_cents": 0}}, "Console: 639 cents"),
        ({"collected": {"count": 1, "sum_cents": 641}}, "acquirer: 641 cents, paid were 640"),
    ],
)
def test_what_others_recorded_differently_is_found(changed: Json, problem: str) -> None:
    """HiPay, the merchant's server and the acquirer, to the cent."""
    with pytest.raises(Unexpected, match=problem):
        compare([call()], recorded(**changed), [session()], {PAYMENT: history()})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """One line a problem."""
    with pytest.raises(Unexpected) as raised:
        compare([call()], recorded(orders=[], webhooks=[]), [session()], {PAYMENT: history()})

    assert len(str(raised.value).splitlines()) == 2
