"""The queues' names and arguments."""

from shared.broker.topology import DEAD_LETTERS, PAYMENTS, REPLIES, Topology

TOPOLOGY = Topology("shop.", delivery_limit=20)


def test_the_prefix_stands_before_every_name() -> None:
    """Two installations share a broker without meeting."""
    assert TOPOLOGY.payments == "shop.payments"
    assert TOPOLOGY.dead_payments == "shop.payments.dead"
    assert TOPOLOGY.reply_queue("a1") == "shop.reply.a1"


def test_replies_go_to_reply_queues_of_this_installation_only() -> None:
    """A name from a row or a message never leads to another queue."""
    assert TOPOLOGY.is_reply_queue("shop.reply.a1")
    for name in ("shop.payments", "reply.a1", "other.reply.a1", ""):
        assert not TOPOLOGY.is_reply_queue(name)


def test_payments_are_in_a_quorum_queue_and_dead_lettered_after_a_limit() -> None:
    """The same on every version of RabbitMQ."""
    arguments = PAYMENTS.arguments(TOPOLOGY)

    assert (PAYMENTS.durable, PAYMENTS.exclusive) == (True, False)
    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-delivery-limit"] == 20
    assert arguments["x-dead-letter-routing-key"] == TOPOLOGY.dead_payments
    assert DEAD_LETTERS.durable


def test_a_reply_queue_ends_with_its_process() -> None:
    """So that a reply to a process that has ended is returned."""
    assert REPLIES.exclusive
    assert REPLIES.arguments(TOPOLOGY)["x-queue-type"] == "classic"
