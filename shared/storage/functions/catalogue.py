"""All functions of this release, as the migration creates them."""

from typing import Final

from shared.storage.functions.accept_batch import ACCEPT_BATCH
from shared.storage.functions.accept_function import ACCEPT
from shared.storage.functions.claim_batch import CLAIM_BATCH
from shared.storage.functions.claim_function import CLAIM
from shared.storage.functions.function import Function
from shared.storage.functions.purge_function import PURGE
from shared.storage.functions.settle_batch import SETTLE_BATCH
from shared.storage.functions.settle_function import SETTLE

FUNCTIONS: Final[tuple[Function, ...]] = (
    ACCEPT,
    ACCEPT_BATCH,
    CLAIM,
    CLAIM_BATCH,
    SETTLE,
    SETTLE_BATCH,
    PURGE,
)
