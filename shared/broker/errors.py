"""What can go wrong with the broker, by what is certain afterwards.

BrokerFailure
  BrokerUnavailable          no connection, or a call to it had no answer in time
  TopologyMismatch    a queue exists with other arguments than ours
  NotAccepted         the message is in no queue, for certain
    NotRouted         because the queue is not there
  Unconfirmed      the message may be in its queue, or not
UnreadableMessage     a message came that nobody can read
"""


class BrokerFailure(Exception):
    """The broker did not do what it was asked for."""


class BrokerUnavailable(BrokerFailure):
    """There is no connection, or a call had no answer within our time-out."""


class TopologyMismatch(BrokerFailure):
    """A queue exists with other arguments; the message says how to mend it."""


class NotAccepted(BrokerFailure):
    """The broker refused the message, or it was never sent: it is in no queue."""


class NotRouted(NotAccepted):
    """The message came back: its queue does not exist (of a reply: the requester is gone)."""


class Unconfirmed(BrokerFailure):
    """The message was sent and no confirmation came: it may arrive or not."""


class UnreadableMessage(Exception):
    """The body is not a message of ours, or of a version that this release does not know."""
