"""What follows from an order or a push, for the shell to carry out."""

from dataclasses import dataclass

from sandbox.hipay.rules.matching import Joined
from sandbox.hipay.rules.order_and_push import Push
from sandbox.hipay.rules.transaction import OperationRecord, Transaction


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The merchant is to be notified of the transaction as it is now."""

    transaction: Transaction
    #: What caused it, where an operation did.
    operation: OperationRecord | None = None


@dataclass(frozen=True, slots=True)
class PushJoined:
    """It is known to which payment a push belongs; told once a push."""

    push: Push
    joined: Joined


Effect = StatusChanged | PushJoined
