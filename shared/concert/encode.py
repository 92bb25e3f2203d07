"""The encoder of requests to a terminal, strict in every field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.concert import fields as f
from shared.concert.profile import Profile
from shared.payment.payment import Operation

Fields = tuple[tuple[str, str], ...]


class EncodeError(ValueError):
    """Raised for a value that the protocol cannot carry; `tag` names the field."""

    def __init__(self, tag: str, problem: str) -> None:
        super().__init__(f"{tag} ({f.meaning(tag)}): {problem}")
        self.tag = tag


class CannotAsk(ValueError):
    """Raised where the terminal's profile does not support the request: the client's error (400)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRequest:
    """One debit, reversal or credit in the protocol's terms."""

    operation: Operation
    #: `ConcertV3.1` or `ConcertV3.2`.
    protocol: str
    amount_cents: int
    #: CJ, 12 characters, given by the association.
    software_id: str
    #: CF, our payment id.
    reference: str
    #: CA, 2 characters.
    pos_number: str = "01"
    #: ISO 4217 numeric.
    currency: str = f.EURO
    #: Ask for an authorisation whatever the terminal's floor limit.
    force_authorization: bool = False
    #: CC and CG, see `sole_application`.
    application: str | None = None
    contract: str | None = None
    #: The order's customer, for the receipt.
    phone: str | None = None
    email: str | None = None


def sole_application(contract_array: Sequence[Mapping[str, object]]) -> tuple[str | None, str | None]:
    """Return the application (CC) and the contract (CG) that the contract's `contract_array` asks for.

    One entry asks for its own; with several (contact and contactless, say) neither is forced.
    """
    if len(contract_array) != 1:
        return None, None
    application = contract_array[0].get("payment_application")
    contract = contract_array[0].get("merchant_contract")
    return (
        application if isinstance(application, str) else None,
        contract if isinstance(contract, str) else None,
    )


def check_can_ask(*, force_authorization: bool, profile: Profile) -> None:
    """Raise CannotAsk where an authorisation is wanted that the terminal's profile cannot ask for."""
    if force_authorization and not profile.sends_authorisation:
        raise CannotAsk("this terminal cannot be asked to force an authorisation")


def operation_fields(request: OperationRequest, profile: Profile) -> Fields:
    """Return the fields of a request in the order they are sent. Raises CannotAsk and EncodeError."""
    check_can_ask(force_authorization=request.force_authorization, profile=profile)
    version = _version(request.protocol, profile)
    wanted: list[tuple[str, str | None]] = [
        (f.PROTOCOL_VERSION, version),
        (f.SOFTWARE_ID, request.software_id),
        (f.POS_NUMBER, request.pos_number),
        (f.AMOUNT, _amount(request.amount_cents)),
        (f.ACTION, f.ACTIONS[request.operation]),
        (f.CURRENCY, request.currency),
        (f.AUTHORISATION, "1" if request.force_authorization else None),
        (f.PARTIAL_PAYMENT, "1" if asks_partial(request, profile) else None),
        (f.APPLICATION, request.application if profile.sends_application else None),
        (f.PRIVATE_DATA, request.reference if profile.sends_reference else None),
        (f.CONTRACT, request.contract if profile.sends_contract else None),
        *_receipt_address(request, profile, version),
        (f.RECEIPT_WANTED, profile.receipt if profile.sends_receipt else None),
    ]
    return _checked(wanted)


def asks_partial(request: OperationRequest, profile: Profile) -> bool:
    """Return whether a part of the amount may be paid: of debits only, undoing a part has no meaning."""
    return profile.accepts_partial and request.operation is Operation.DEBIT


def encode_operation(request: OperationRequest, profile: Profile) -> bytes:
    """Return the bytes of a debit, reversal or credit. Raises CannotAsk and EncodeError."""
    return encode_fields(operation_fields(request, profile)) + profile.request_ends_with.encode("ascii")


def encode_identification(*, protocol: str, software_id: str, pos_number: str, profile: Profile) -> bytes:
    """Return the bytes of an identification: a ping, answered without a payment screen."""
    wanted: list[tuple[str, str | None]] = [
        (f.PROTOCOL_VERSION, _version(protocol, profile)),
        (f.SOFTWARE_ID, software_id),
        (f.POS_NUMBER, pos_number),
        (f.ACTION, f.Action.IDENTIFICATION),
    ]
    return encode_fields(_checked(wanted)) + profile.request_ends_with.encode("ascii")


def encode_enquiry(request: OperationRequest, profile: Profile) -> bytes:
    """Return the bytes that ask for the last transaction's result and receipt (duplicate).

    Neither amount nor reference: a terminal that copies request fields would confirm what never happened.
    """
    wanted: list[tuple[str, str | None]] = [
        (f.PROTOCOL_VERSION, _version(request.protocol, profile)),
        (f.SOFTWARE_ID, request.software_id),
        (f.POS_NUMBER, request.pos_number),
        (f.ACTION, f.Action.DUPLICATE),
        (f.CURRENCY, request.currency),
        (f.RECEIPT_WANTED, profile.receipt if profile.sends_receipt else None),
    ]
    return encode_fields(_checked(wanted)) + profile.request_ends_with.encode("ascii")


def encode_fields(fields: Sequence[tuple[str, str]]) -> bytes:
    """Return the fields as bytes: tag, length in three digits, value. A field without a value is left out.

    Values are written in UTF-8 and counted in bytes; a byte that was read as no UTF-8 (surrogateescape) is
    written as it came. Raises EncodeError for more than 999 of them.
    """
    parts: list[bytes] = []
    for tag, value in fields:
        encoded = value.encode("utf-8", "surrogateescape")
        if len(encoded) > f.MAX_VALUE_LENGTH:
            raise EncodeError(tag, f"{len(encoded)} bytes, at most {f.MAX_VALUE_LENGTH}")
        if encoded:
            parts.append(b"%s%03d%s" % (tag.encode("ascii"), len(encoded), encoded))
    return b"".join(parts)


def _version(protocol: str, profile: Profile) -> str:
    if profile.version is not None:
        return profile.version
    try:
        return f.VERSIONS[protocol]
    except KeyError:
        raise EncodeError(f.PROTOCOL_VERSION, f"no version is known for {protocol!r}") from None


def _amount(amount_cents: int) -> str:
    if amount_cents <= 0:
        raise EncodeError(f.AMOUNT, "should be more than 0")
    return f"{amount_cents:02d}"


_BY_SMS: Final = frozenset({"sms", "all"})
_BY_EMAIL: Final = frozenset({"email", "all"})


def _receipt_address(
    request: OperationRequest, profile: Profile, version: str
) -> list[tuple[str, str | None]]:
    if version < f.FIRST_VERSION_WITH_RECEIPT_ADDRESS:
        return []
    wanted = [
        (f.PHONE, request.phone if profile.receipt_by in _BY_SMS else None),
        (f.EMAIL, request.email if profile.receipt_by in _BY_EMAIL else None),
    ]
    # An address that the field cannot hold costs the offer of a receipt, never the payment.
    return [(tag, value) for tag, value in wanted if value is not None and _fits(tag, value)]


def _fits(tag: str, value: str) -> bool:
    rule = f.TAGS[tag]
    return rule.shortest <= len(value) <= rule.longest and value.isascii() and value.isprintable()


def _checked(wanted: Sequence[tuple[str, str | None]]) -> Fields:
    sent = tuple((tag, str(value)) for tag, value in wanted if value)
    for tag, value in sent:
        if not _fits(tag, value):
            rule = f.TAGS[tag]
            raise EncodeError(tag, f"{value!r} should be {rule.shortest} to {rule.longest} ASCII characters")
    return sent
