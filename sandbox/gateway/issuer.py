"""The issuer, the customer's bank: the end of the authorisation chain."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from sandbox.cards import DECK, AccountStatus
from sandbox.gateway import response_codes
from sandbox.gateway.accounts import Account, decide
from sandbox.gateway.chain import AuthorisationLog
from sandbox.gateway.messages import AuthorisationAnswer, Cents, ChainRequest
from sandbox.pages.app import new_app
from sandbox.tracing.steps import System
from sandbox.tracing.trace import Trace
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes

_KEPT_ACCOUNTS: Final = 10_000

Pan = Annotated[str, Path(pattern="^[0-9]{12,19}$")]


class AccountChange(BaseModel):
    """The body of `POST /accounts/{pan}`: a field that is left out stays, null removes a limit."""

    model_config = ConfigDict(extra="forbid")

    status: AccountStatus = AccountStatus.ACTIVE
    #: YYMM.
    expiry: Annotated[str, Field(pattern="^[0-9]{4}$")] = "4912"
    available_cents: Cents | None = None
    payment_limit_cents: Cents | None = None
    pin_tries_left: Annotated[int, Field(ge=0, le=3)] = 3


class IssuerScript(BaseModel):
    """The body of `POST /script`; a field that is left out causes no fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delay_seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    #: Requests are answered 503, so the acquirer answers code 91.
    unavailable: bool = False


class Issuer:
    """Accounts by card number, and the log of authorisations."""

    def __init__(self, clock: Clock, trace: Trace, random_bytes: RandomBytes) -> None:
        self._clock: Final = clock
        self._random_bytes: Final = random_bytes
        self._authorisations: Final = AuthorisationLog(System.ISSUER, System.ACQUIRER, clock, trace)
        self._accounts: Final[dict[str, Account]] = {}
        self._script = IssuerScript()
        self.reset()

    async def authorise(self, request: ChainRequest) -> AuthorisationAnswer:
        """Answer by the account, or with the wanted code."""
        record = self._authorisations.record_request(request.through(System.ISSUER))
        if self._script.delay_seconds:
            await asyncio.sleep(self._script.delay_seconds)
        if self._script.unavailable:
            raise HTTPException(503, "The issuer is not available, by script.")
        code = self._decide(request)
        approved = code == response_codes.APPROVED
        number = f"{int.from_bytes(self._random_bytes(4)) % 1_000_000:06d}" if approved else None
        return self._authorisations.record_answer(
            record,
            AuthorisationAnswer(
                id=request.id,
                approved=approved,
                code=code,
                message=response_codes.meaning(code),
                authorisation_number=number,
            ),
        )

    async def accounts(self) -> list[Account]:
        """List the accounts."""
        return list(self._accounts.values())

    async def account(self, pan: Pan) -> Account:
        """Return one account, 404 where there is none."""
        found = self._accounts.get(pan)
        if found is None:
            raise HTTPException(404, "No account has this card number.")
        return found

    async def change(self, pan: Pan, change: AccountChange) -> Account:
        """Change an account, or open one for a card number that had none."""
        known = self._accounts.get(pan)
        if known is None and len(self._accounts) >= _KEPT_ACCOUNTS:
            raise HTTPException(409, f"No more than {_KEPT_ACCOUNTS} accounts are kept.")
        before: dict[str, Any] = (
            {"pan": pan, "expiry": change.expiry}
            if known is None
            else {name: getattr(known, name) for name in Account.__slots__}
        )
        changes = {name: getattr(change, name) for name in change.model_fields_set}
        self._accounts[pan] = account = Account(**{**before, **changes})
        return account

    async def script(self, script: IssuerScript) -> IssuerScript:
        """Apply the script from now on."""
        self._script = script
        return script

    async def records(self) -> list[dict[str, Any]]:
        """Return the authorisations, the oldest first, cards masked."""
        return self._authorisations.records()

    def reset(self) -> None:
        """Restore the deck's accounts, drop records and script."""
        self._accounts.clear()
        self._accounts.update({card.pan: Account.of_card(card) for card in DECK})
        self._authorisations.reset()
        self._script = IssuerScript()

    def _decide(self, request: ChainRequest) -> str:
        wanted = None if request.test is None else request.test.wanted_code
        account = self._accounts.get(request.card.pan)
        if account is None:
            return wanted or response_codes.INVALID_NUMBER
        month = f"{datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC):%y%m}"
        decision = decide(
            account,
            request.operation,
            request.amount_cents,
            pin=request.pin,
            month=month,
            wanted_code=wanted,
        )
        self._accounts[account.pan] = decision.account
        return decision.code


def make_app(*, clock: Clock, trace: Trace, random_bytes: RandomBytes) -> FastAPI:
    """Return the issuer's application."""
    issuer = Issuer(clock, trace, random_bytes)
    app = new_app("Issuer")
    app.post("/authorisations")(issuer.authorise)
    app.get("/accounts")(issuer.accounts)
    app.get("/accounts/{pan}")(issuer.account)
    app.post("/accounts/{pan}")(issuer.change)
    app.post("/script")(issuer.script)
    app.get("/records")(issuer.records)

    @app.post("/reset")
    async def reset() -> dict[str, bool]:
        """Restore the initial state."""
        issuer.reset()
        return {"reset": True}

    return app
