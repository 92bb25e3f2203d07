"""The issuer's accounts and its decision about a payment. Pure: the month is an argument."""

from dataclasses import dataclass, replace
from typing import Final

from sandbox.cards import AccountStatus, Card
from sandbox.gateway import response_codes

#: Wrong PINs in a row that block the card.
PIN_TRIES: Final = 3

_STATUS_CODES: Final = {
    AccountStatus.BLOCKED: "62",
    AccountStatus.LOST: "41",
    AccountStatus.STOLEN: "43",
    AccountStatus.RETAINED: "04",
    AccountStatus.REFUSED: "05",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One card's account. Amounts in cents."""

    pan: str
    #: YYMM.
    expiry: str
    status: AccountStatus = AccountStatus.ACTIVE
    #: What may still be spent; None: without limit.
    available_cents: int | None = None
    #: Most that one payment may cost; None: without limit.
    payment_limit_cents: int | None = None
    #: Authorised debits that were not reversed, less credits.
    spent_cents: int = 0
    pin_tries_left: int = PIN_TRIES

    @staticmethod
    def of_card(card: Card) -> "Account":
        return Account(
            pan=card.pan,
            expiry=card.expiry,
            status=card.status,
            available_cents=card.available_cents,
            payment_limit_cents=card.payment_limit_cents,
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer's code and the account after it."""

    code: str
    account: Account

    @property
    def approved(self) -> bool:
        return self.code == response_codes.APPROVED


def decide(
    account: Account, operation: str, amount_cents: int, *, pin: str, month: str, wanted_code: str | None
) -> Decision:
    """Return the issuer's decision. `month` is the current one, YYMM; `wanted_code` overrides the account."""
    after_pin = _after_pin(account, pin)
    if wanted_code not in (None, response_codes.APPROVED):
        assert wanted_code is not None
        return Decision(wanted_code, account)
    if operation == "reversal":
        # A reversal is never refused. An offline approval was never debited here, so at most what was spent
        # is given back.
        return Decision(
            response_codes.APPROVED, _spent(account, -min(amount_cents, max(account.spent_cents, 0)))
        )
    refusal = _refusal(after_pin, operation, amount_cents, pin=pin, month=month)
    if refusal is not None:
        return Decision(refusal, after_pin)
    return Decision(
        response_codes.APPROVED, _spent(after_pin, amount_cents if operation == "debit" else -amount_cents)
    )


def _after_pin(account: Account, pin: str) -> Account:
    if pin == "none":
        return account
    return replace(
        account,
        pin_tries_left=max(account.pin_tries_left - 1, 0) if pin == "wrong" else _tries_after_ok(account),
    )


def _tries_after_ok(account: Account) -> int:
    return PIN_TRIES if account.pin_tries_left else 0


def _refusal(account: Account, operation: str, amount_cents: int, *, pin: str, month: str) -> str | None:
    if account.status is not AccountStatus.ACTIVE:
        return _STATUS_CODES[account.status]
    if account.expiry < month:
        return response_codes.EXPIRED
    if not account.pin_tries_left:
        return response_codes.TOO_MANY_PINS
    if pin == "wrong":
        return response_codes.WRONG_PIN
    if operation != "debit":
        return None
    if account.payment_limit_cents is not None and amount_cents > account.payment_limit_cents:
        return response_codes.OVER_LIMIT
    if account.available_cents is not None and amount_cents > account.available_cents:
        return response_codes.NO_FUNDS
    return None


def _spent(account: Account, amount_cents: int) -> Account:
    available = None if account.available_cents is None else account.available_cents - amount_cents
    return replace(account, spent_cents=account.spent_cents + amount_cents, available_cents=available)
