from demo_records import PAYMENT

from sandbox.demo.amqp_stream import WireMessage
from sandbox.demo.broker_tap import BrokerTap, payment_of


def test_a_delivery_is_of_the_payment_whose_order_or_result_it_tells() -> None:
    """So that its messages are part of the payment's timeline."""
    unique = PAYMENT.removeprefix("pay_")

    assert payment_of(f"dlv_{unique}_hipay") == PAYMENT
    assert payment_of(f"dlv_{unique}_1_01M8H9R4QJ9YG0R3Z29W2XWY43") == PAYMENT


def test_a_test_event_is_of_no_payment() -> None:
    """Nor is a message about something else."""
    assert payment_of("dlv_test_17") == ""
    assert payment_of("") == ""


def test_a_readiness_checks_round_trip_is_passed_on_and_not_told_of() -> None:
    """It is no message of a payment, and must not end the connection that it goes through."""
    tap = BrokerTap("amqp://127.0.0.1/")
    told = WireMessage("payments", f'{{"type": "payment", "payment_id": "{PAYMENT}"}}'.encode())

    tap._note([WireMessage("nowhere", b"{}"), WireMessage("nowhere", b""), told], 0, "api", to_broker=True)

    assert [passed.queue for passed in tap.passed] == ["payments"]
