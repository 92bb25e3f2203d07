"""Messages between terminal, Preludd, Nepting, acquirer and issuer, as JSON over HTTP."""

from collections.abc import Collection
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from sandbox.cards import Brand, Mode
from sandbox.tracing.steps import System
from shared.concert.mask import mask_card

Text = Annotated[str, Field(max_length=256)]
Code = Annotated[str, Field(pattern="^[0-9A-Z]{2}$")]
Operation = Literal["debit", "credit", "reversal"]
Cents = Annotated[int, Field(ge=0, le=999_999_999_999)]


class _Message(BaseModel):
    # A terminal may send more fields.
    model_config = ConfigDict(extra="ignore", frozen=True)


class TerminalName(_Message):
    """The terminal as its gateway knows it."""

    serial: Text
    pos_number: Text | None = None
    #: Where it listens, `127.0.0.2:8888`.
    address: Text | None = None


class PresentedCard(_Message):
    """A card with its whole test number: only from the terminal to the issuer, never recorded so."""

    pan: Annotated[str, Field(pattern="^[0-9]{12,19}$")]
    #: YYMM.
    expiry: Annotated[str, Field(pattern="^[0-9]{4}$")]
    brand: Brand
    aid: Text
    mode: Mode

    def shown(self) -> "ShownCard":
        return ShownCard(pan=mask_card(self.pan) or "", brand=self.brand, mode=self.mode)


class ShownCard(_Message):
    """A card as it is recorded and pushed."""

    #: Masked, `411111******1111`.
    pan: Text
    brand: Brand
    mode: Mode


class IssuerInstruction(_Message):
    """An instruction to the issuer by a test script."""

    #: Code of the answer.
    wanted_code: Code | None = None


class AuthorisationRequest(_Message):
    """A request for an authorisation, sent by a terminal to Preludd."""

    terminal: TerminalName
    #: CF as the terminal got it; None where it keeps none.
    reference: Text | None = None
    contract: Text | None = None
    rank: Text | None = None
    application: Text
    operation: Operation
    amount_cents: Cents
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    card: PresentedCard
    pin: Literal["ok", "wrong", "none"] = "none"
    test: IssuerInstruction | None = None


class ChainRequest(AuthorisationRequest):
    """The request on its way along the chain, with Preludd's id and the systems that it went through."""

    id: Text
    route: list[System]

    def through(self, system: System) -> "ChainRequest":
        return self.model_copy(update={"route": [*self.route, system]})


class AuthorisationAnswer(_Message):
    """The issuer's answer, passed back unchanged; a link that gets no answer behind it answers 91."""

    id: Text
    approved: bool
    code: Code
    message: Text
    #: Six digits, where it was approved.
    authorisation_number: Text | None = None


class EndedTransaction(_Message):
    """A transaction that ended as done at the terminal."""

    #: The terminal's own, unique per serial number.
    id: Text
    #: CF; in a completion it stands beside the transaction.
    reference: Text | None = None
    operation: Operation
    amount_cents: Cents
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    approved: Literal[True] = True
    #: Preludd's id of the authorisation; None where the terminal approved by itself.
    authorisation_id: Text | None = None
    authorisation_number: Text | None = None
    contract: Text | None = None
    rank: Text | None = None
    application: Text
    card: ShownCard
    aid: Text | None = None
    #: Unix ms, when the customer paid.
    at_ms: int
    receipt: Annotated[str, Field(max_length=4096)] | None = None

    def key(self, serial: str) -> str:
        """Return the transaction's unique name behind the terminal, `SERIAL/7/1772712418123`.

        It holds the time, since a restarted terminal counts from 1 again.
        """
        return f"{quote(serial, safe='')}/{quote(self.id, safe='')}/{self.at_ms}"


class Completion(_Message):
    """The end of an authorised transaction, sent by a terminal to Preludd."""

    terminal: TerminalName
    reference: Text | None = None
    transaction: EndedTransaction


class Batch(_Message):
    """A remote collection: the transactions stored since the previous one, without reversed ones."""

    terminal: TerminalName
    #: The terminal's number of this collection.
    batch: int
    transactions: Annotated[list[EndedTransaction], Field(max_length=10_000)]


class CollectionSums(_Message):
    """Count and sums of transactions in cents; `sum_cents` is debits less credits."""

    count: int
    sum_cents: int
    debit_cents: int
    credit_cents: int

    @staticmethod
    def of(transactions: Collection[EndedTransaction]) -> "CollectionSums":
        debits = sum(one.amount_cents for one in transactions if one.operation == "debit")
        credits_ = sum(one.amount_cents for one in transactions if one.operation == "credit")
        return CollectionSums(
            count=len(transactions), sum_cents=debits - credits_, debit_cents=debits, credit_cents=credits_
        )


class CollectionAnswer(CollectionSums):
    """Acknowledgement of a whole batch, sent by the acquirer to Preludd and by Preludd to the terminal."""

    acknowledged: Literal[True] = True


class Push(_Message):
    """One record of Preludd, pushed to HiPay until acknowledged."""

    #: Name of the record, the same in a repeated push.
    record_id: Text
    kind: Literal["authorisation", "completion", "collection"]
    #: Links a completion or collection to its authorisation.
    authorisation_id: Text | None
    #: The terminal's transaction, serial number included; None in an authorisation.
    transaction_id: Text | None
    reference: Text | None
    contract: Text | None
    rank: Text | None
    application: Text
    operation: Operation
    amount_cents: Cents
    currency: Text
    approved: bool
    code: Code
    authorisation_number: Text | None
    card: ShownCard
    aid: Text | None
    terminal: TerminalName
    #: Unix ms, when it happened at the terminal.
    at_ms: int
    receipt: Annotated[str, Field(max_length=4096)] | None
