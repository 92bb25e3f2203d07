"""Errors of the broker.

BrokerFailure
  BrokerUnavailable   no connection, or a call without an answer in time
  TopologyMismatch    a queue exists with other arguments than ours
  NotAccepted         the message is certainly in no queue
    NotRouted         because its queue does not exist
  Unconfirmed         the message may be in its queue, or not
UnreadableMessage     a message that cannot be decoded
"""


class BrokerFailure(Exception):
    """A call to the broker failed."""


class BrokerUnavailable(BrokerFailure):
    """There is no connection, or a call was not answered within its time-out."""


class TopologyMismatch(BrokerFailure):
    """A queue exists with other arguments; the message says how to fix it."""


class NotAccepted(BrokerFailure):
    """The broker refused the message, or it was never sent: it is in no queue."""


class NotRouted(NotAccepted):
    """The message was returned: its queue does not exist (of a reply: the API process has ended)."""


class Unconfirmed(BrokerFailure):
    """The message was sent and not confirmed: it may arrive or not."""


class UnreadableMessage(Exception):
    """The body is not one of our messages, or of a version that this release does not know."""
